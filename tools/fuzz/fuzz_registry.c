/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_registry.c - the directory of running sandboxes, with files of any name, type and content in it, as a process of the same user can make them.
 *
 * What is listed is a record that somebody holds a lock on, with all its fields; what dead ones left is removed and nothing else; no descriptor is
 * left. As root the directory is one of a mount namespace of our own.
 *
 * covers: interposer/registry.c
 * options: -max_len=1024
 */
#include "interposer/registry.h"

#include "gofer/gofer.h"
#include "tools/fuzz/fuzz.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define FILES 8

static int dir = -1;
static char place[128];

static void set_up(void)
{
	if (geteuid()) {
		FUZZ_CHECK(!setenv("XDG_RUNTIME_DIR", fuzz_scratch(), 1));
		snprintf(place, sizeof(place), "%s/sandbox", fuzz_scratch());
	} else {
		FUZZ_CHECK(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
		FUZZ_CHECK(!mount("fuzz", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "size=16m,mode=755"));
		snprintf(place, sizeof(place), "/run/sandbox");
	}
}

static void make_name(struct fuzz_in *in, char *name, size_t size)
{
	uint8_t how = fuzz_u8(in);
	size_t n;

	if (how < 0xe0) {
		snprintf(name, size, GOFER_CONTROL_PREFIX "%u.%016x%s", how % 8, how % 4, how & 0x80 ? ".s" : "");
		return;
	}
	const char *p = (const char *)fuzz_bytes(in, 100, &n);
	snprintf(name, size, "%s%.*s", how & 1 ? GOFER_CONTROL_PREFIX : "x", (int)strnlen(p, n), p);
	for (char *s = name; *s; s++)
		if (*s == '/')
			*s = '_';
}

static void put_record(struct fuzz_in *in, int fd)
{
	static char text[20000];
	uint8_t how = fuzz_u8(in);
	size_t n;

	if (how < 0x80) {
		int len = snprintf(text, sizeof(text), "%d%c%d%c%d%c%d%cname%cmemory%c/%ccommand", how & 1 ? 1 : 2, 0,
				   fuzz_u8(in), 0, fuzz_u8(in), 0, fuzz_u8(in), 0, 0, 0, 0);
		n = (size_t)len + (how & 2 ? 1 : 0);
		if (how & 4)
			text[fuzz_u8(in) % n] = (char)fuzz_u8(in);
		if (how & 8)
			n = fuzz_u8(in) % (n + 1);
	} else {
		const uint8_t *p = fuzz_bytes(in, sizeof(text), &n);
		memcpy(text, p, n);
		if (how >= 0xf8) {
			memset(text + n, 'x', sizeof(text) - n);
			n = sizeof(text);
		}
	}
	FUZZ_CHECK(write(fd, text, n) == (ssize_t)n);
}

/* Its lock's descriptor where it's a regular file, for as long as its owner lives. */
static int make_file(struct fuzz_in *in, const char *name)
{
	uint8_t how = fuzz_u8(in);
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd;

	switch (how % 8) {
	case 0:
		(void)!symlinkat("/etc/hostname", dir, name);
		return -1;
	case 1:
		(void)!mkdirat(dir, name, 0700);
		return -1;
	case 2:
		(void)!mkfifoat(dir, name, 0600);
		return -1;
	case 3:
		fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		snprintf(un.sun_path, sizeof(un.sun_path), "/proc/self/fd/%d/%.60s", dir, name);
		(void)!bind(fd, (struct sockaddr *)&un, sizeof(un));
		if (how & 8)
			(void)!listen(fd, 1);
		close(fd);
		return -1;
	default:
		break;
	}
	fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	put_record(in, fd);
	if (how & 8)
		FUZZ_CHECK(!flock(fd, LOCK_EX | LOCK_NB));
	return fd;
}

static bool held(const char *name, const int *fds)
{
	struct stat st, is;

	FUZZ_CHECK(!fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode));
	for (unsigned k = 0; k < FILES; k++)
		if (fds[k] >= 0 && !fstat(fds[k], &is) && is.st_ino == st.st_ino)
			return true;
	return false;
}

static void check_list(const int *fds)
{
	struct registered *list;
	size_t n;

	FUZZ_CHECK(!registry_list(&list, &n) && n <= FILES);
	for (size_t k = 0; k < n; k++) {
		const struct registered *r = &list[k];
		size_t all = strlen(r->name) + strlen(r->medium) + strlen(r->root) + strlen(r->command);
		FUZZ_CHECK(all < 16384 && r->front > 0 && r->supervisor > 0 && held(r->file, fds));
		FUZZ_CHECK(!k || list[k - 1].started <= r->started);
	}
	registry_free(list, n);
}

static void check_own(struct fuzz_in *in)
{
	struct registration r;
	char *words[4] = {NULL};
	struct registered *list;
	size_t n, found = 0;

	for (unsigned k = 0; k < 3; k++)
		words[k] = fuzz_string(in, 6000);
	FUZZ_CHECK(!registry_add(&r, 1, "own", "memory", "/", words));
	FUZZ_CHECK(!registry_list(&list, &n));
	for (size_t k = 0; k < n; k++) {
		if (strcmp(list[k].file, r.file))
			continue;
		found++;
		FUZZ_CHECK(list[k].front == getpid() && list[k].supervisor == 1 && !strcmp(list[k].name, "own"));
		int fd = registry_connect(&list[k]);
		FUZZ_CHECK(fd >= 0 && registry_peer_ok(fd));
		close(fd);
	}
	FUZZ_CHECK(found == 1);
	registry_free(list, n);
	registry_remove(&r);
	for (unsigned k = 0; k < 3; k++)
		free(words[k]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	struct stat st;
	int fds[FILES];

	if (!*place)
		set_up();
	unsigned before = fuzz_count_fds();
	/* Not ours alone: then it isn't used. */
	uint8_t how = fuzz_u8(&in);
	FUZZ_CHECK(!mkdir(place, 0700) && !chmod(place, how == 0xff ? 0770 : 0700));
	dir = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(dir >= 0);
	for (unsigned k = 0; k < FILES; k++) {
		char name[128];
		fds[k] = -1;
		if (!in.left)
			continue;
		make_name(&in, name, sizeof(name));
		fds[k] = make_file(&in, name);
	}
	if (how != 0xff) {
		check_list(fds);
		if (how & 1)
			check_own(&in);
		if (how & 2)
			(void)!registry_gc();
		for (unsigned k = 0; k < FILES; k++) /* a living one's stays */
			FUZZ_CHECK(fds[k] < 0 || flock(fds[k], LOCK_EX | LOCK_NB) || !fstat(fds[k], &st));
	}
	for (unsigned k = 0; k < FILES; k++)
		close_fd_(&fds[k]);
	fuzz_empty(dir);
	close(dir);
	FUZZ_CHECK(!rmdir(place) && fuzz_count_fds() == before);
	return 0;
}
