/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump.c - the supervisor's state as text. What is asked of a live process can be old by the time it's printed; nothing is stopped for it.
 */
#include "interposer/control.h"

#include "base/log.h"
#include "gofer/client.h"
#include "interposer/live.h"
#include "kernel/task.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#define MAX_TASKS 200
#define MAX_FILES 400
#define MAX_FDS   64 /* numbers that are tried of a process */

static const struct gofer *the_gofer;
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

void dump_init(const struct gofer *gofer)
{
	the_gofer = gofer;
}

struct out {
	void (*line)(void *arg, const char *text);
	void *arg;
	unsigned files;
	struct vfs_ctx ctx;
	char path[PATH_MAX];
};

static void say(struct out *o, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(struct out *o, const char *fmt, ...)
{
	char line[2 * PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < 32 || *p == 127)
			*p = '?';
	o->line(o->arg, line);
}

static const char *path_text(struct out *o, const struct path *p)
{
	if (!p->dentry || vfs_getpath(&o->ctx, p, o->path, sizeof(o->path)) <= 0)
		return "(none)";
	return o->path;
}

/* Those of its descriptors that stand for files of ours. */
static void dump_files(struct out *o, pid_t pid)
{
	AUTO_CLOSE int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	for (int n = 0; n < MAX_FDS && pidfd >= 0; n++) {
		AUTO_CLOSE int fd = (int)syscall(SYS_pidfd_getfd, pidfd, n, 0);
		AUTO_VFILE struct vfile f = {0};
		if (fd < 0 || vfs_identify(fd, &f) || f.kind == VF_FOREIGN ||
		    vfs_vfile_path(&o->ctx, &f, o->path, sizeof(o->path)) <= 0)
			continue;
		if (++o->files <= MAX_FILES)
			say(o, "  file %d: %s%s%s", n, o->path, f.kind == VF_DIR ? " (directory)" : "",
			    f.o_path ? " (O_PATH)" : "");
	}
}

static void dump_task(struct out *o, pid_t pid)
{
	struct record *r = live_record(pid);

	if (!r)
		return;
	const struct cred *c = r->cred;
	say(o,
	    "task %d: uid %u %u %u %u, gid %u %u %u %u, %d groups, capabilities %" PRIx64 ", umask %03o, record %" PRIu64
	    "%s",
	    pid, c->uid, c->euid, c->suid, c->fsuid, c->gid, c->egid, c->sgid, c->fsgid, c->ngroups, c->effective, r->umask,
	    r->id,
	    pid == the_place.init_pid ? " (init)"
	    : r->pending              ? " (an exec is pending)"
				      : "");
	if (r->exe)
		say(o, "  exe: %s", path_text(o, &r->exe->path));
	say(o, "  cwd: %s", path_text(o, &r->cwd));
	if (r->root.dentry != o->ctx.root->dentry || r->root.mnt != o->ctx.root->mnt)
		say(o, "  root: %s", path_text(o, &r->root));
	if (pid != the_place.init_pid)
		dump_files(o, pid);
	record_put(r);
}

static void dump_tasks(struct out *o)
{
	int fd = openat(the_place.procfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	unsigned n = 0;

	if (!d) {
		close_fd_(&fd);
		return;
	}
	while ((e = readdir(d))) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		/* 1 is the supervisor. */
		if (pid > 1 && ++n <= MAX_TASKS)
			dump_task(o, pid);
	}
	closedir(d);
	say(o, "tasks: %u%s; %zu records", n, n > MAX_TASKS ? " (not all are shown)" : "", record_count());
	say(o, "files: %u%s", o->files, o->files > MAX_FILES ? " (not all are shown)" : "");
}

void dump_state(void (*line)(void *arg, const char *text), void *arg)
{
	static const struct vfs_cred nobody;
	static struct out o;
	struct notify_stats n;
	struct notify_pool_state pool;
	struct path root;
	unsigned connections, busy, waiting;

	pthread_mutex_lock(&one_at_a_time);
	vfs_root(&root);
	o = (struct out){.line = line, .arg = arg, .ctx = {.cred = &nobody, .root = &root, .cwd = &root}};
	notify_get_stats(&n);
	notify_get_pool(&pool);
	say(&o, "calls: %" PRIu64 " emulated, %" PRIu64 " with a descriptor, %" PRIu64 " checked and continued", n.emulated,
	    n.installed, n.continued);
	say(&o, "threads: %d, %d of them take calls, %d are parked", pool.total, pool.active, pool.parked);
	gofer_queue(the_gofer, &connections, &busy, &waiting);
	say(&o, "gofer: %" PRIu64 " round trips; %u of %u connections busy, %u threads wait for one",
	    gofer_round_trips(the_gofer), busy, connections, waiting);
	vfs_dump(line, arg);
	dump_tasks(&o);
	path_put(&root);
	pthread_mutex_unlock(&one_at_a_time);
}

static void log_line(void *arg, const char *text)
{
	if (log_debug_fd() >= 0)
		log_write(LF_INTERPOSER, LL_INFO, "state", (const struct log_field[]){LOG_STR("line", text), {0}});
	else
		log_msg("%s", text);
}

void dump_to_log(void)
{
	dump_state(log_line, NULL);
}
