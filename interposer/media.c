/* SPDX-License-Identifier: Apache-2.0 */
/*
 * media.c - see media.h. Runs in the command's own process, with the user's rights on the host. What is in a directory that others may write
 * to is taken for hostile: no link is followed, and nothing but the files of a filestore is removed.
 */
#include "interposer/media.h"

#include "base/log.h"
#include "gofer/gofer.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>

#define HOST_FIRST 0x60000000U /* kernel uids of sandboxes that root started: launch.c */
#define HOST_LAST  0x60ffffffU

static struct media *mine; /* for the last words of a process that fails */
static pid_t owner;

static bool is_store(const char *name)
{
	return gofer_is_store(name, strlen(name));
}

/* Everything in dir, which is flat. Stops at nothing: what is left keeps the directory. */
static void empty(int dirfd)
{
	AUTO_CLOSE int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return;
	take_fd(&fd);
	while ((e = readdir(d)))
		if (strspn(e->d_name, "0123456789") == strlen(e->d_name))
			unlinkat(dirfd, e->d_name, 0);
		else if (is_store(e->d_name)) /* see mkdir_apart() */
			unlinkat(dirfd, e->d_name, AT_REMOVEDIR);
	closedir(d);
}

static bool ours_to_remove(const struct stat *st)
{
	return S_ISDIR(st->st_mode) &&
	       (st->st_uid == geteuid() || (!geteuid() && st->st_uid >= HOST_FIRST && st->st_uid <= HOST_LAST));
}

/*
 * A directory's time of change, to be put back after a filestore was made or removed in it: that's no change that anybody should look for. What
 * somebody else changes in these microseconds isn't to be told apart. Without the right to, the time stays the new one.
 */
static struct timespec dir_time(int dirfd)
{
	struct stat st;

	return fstat(dirfd, &st) ? (struct timespec){.tv_nsec = UTIME_OMIT} : st.st_mtim;
}

static void put_back_time(int dirfd, struct timespec mtime)
{
	const struct timespec ts[2] = {{.tv_nsec = UTIME_OMIT}, mtime};

	(void)!futimens(dirfd, ts);
}

/* 1: removed; 0: it lives or isn't ours; -errno. */
static int collect_one(int dirfd, const char *name)
{
	AUTO_CLOSE int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT || errno == EACCES ? 0 : -errno;
	if (fstat(fd, &st) || !ours_to_remove(&st))
		return 0;
	if (flock(fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? 0 : -errno;
	empty(fd);
	struct timespec was = dir_time(dirfd);
	if (unlinkat(dirfd, name, AT_REMOVEDIR))
		return -errno;
	put_back_time(dirfd, was);
	return 1;
}

int media_collect(const char *dir, bool say)
{
	AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int list = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *d = list < 0 ? NULL : fdopendir(list);
	struct dirent *e;
	int n = 0;

	if (!d)
		return -errno;
	take_fd(&list);
	while ((e = readdir(d))) {
		int r = is_store(e->d_name) ? collect_one(fd, e->d_name) : 0;
		n += r > 0;
		if (r < 0 && say)
			log_msg("%s/%s: %s", dir, e->d_name, strerror(-r));
	}
	closedir(d);
	return n;
}

void media_remove(struct media *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		struct media_store *s = &m->stores[i];
		if (!s->path)
			continue;
		empty(s->lock);
		AUTO_CLOSE int parent = openat(s->lock, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct timespec was = dir_time(parent);
		if (!rmdir(s->path))
			put_back_time(parent, was);
		else if (errno != ENOENT)
			log_msg("can't remove the filestore %s: %s", s->path, strerror(errno));
		close_fd_(&s->lock);
		close_fd_(&s->tree);
		s->lock = s->tree = -1;
		free(s->path);
		s->path = NULL;
	}
	m->n = 0;
}

void media_give_up(void)
{
	if (mine && owner == getpid())
		media_remove(mine);
}

static char *new_name(const char *dir)
{
	uint64_t id;

	if (getrandom(&id, sizeof id, 0) != sizeof id)
		die("no random numbers: %s", strerror(errno));
	return xasprintf("%s/" GOFER_STORE_PREFIX "%016lx", dir, (unsigned long)id);
}

/*
 * mkdir(2). ext4 puts a directory's files into the block group of the directory, and that near its parent's, where those of the sandboxes before were:
 * and it passes over each inode that was freed in the last minutes, one by one, whenever it makes a file (recently_deleted() in fs/ext4/ialloc.c).
 * What is made below a "top directory" goes to a group that the hash of its name says.
 */
static int mkdir_apart(const char *dir, const char *path)
{
	AUTO_FREE char *top = new_name(dir);
	const char *name = strrchr(path, '/') + 1;
	int flags = 0;

	if (mkdir(top, 0700))
		return -1;
	AUTO_CLOSE int fd = open(top, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) || (flags |= FS_TOPDIR_FL, ioctl(fd, FS_IOC_SETFLAGS, &flags)) ||
	    mkdirat(fd, name, 0700) || renameat(fd, name, AT_FDCWD, path)) {
		if (fd >= 0)
			unlinkat(fd, name, AT_REMOVEDIR);
		rmdir(top);
		return mkdir(path, 0700);
	}
	rmdir(top);
	return 0;
}

/* Makes and locks one in dir. */
static void make_store(const char *dir, struct media_store *s)
{
	AUTO_CLOSE int parent = -1;
	struct stat st;

	media_collect(dir, false);
	parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct timespec was = dir_time(parent);
	for (;;) {
		AUTO_FREE char *path = new_name(dir);
		int r = mkdir_apart(dir, path) ? errno : 0;
		put_back_time(parent, was);
		if (r) {
			errno = r;
			if (r == EEXIST)
				continue;
			die("can't make a filestore in %s: %s%s", dir, strerror(errno),
			    errno == EACCES || errno == EROFS ? "; choose a place that you may write to with dir=PATH" : "");
		}
		AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno != ENOENT)
			die("can't open the filestore %s: %s", path, strerror(errno));
		/* Somebody who cleared up in the instant before the lock has taken it away. */
		if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) || fstat(fd, &st) || !st.st_nlink || st.st_uid != geteuid())
			continue;
		s->lock = take_fd(&fd);
		s->path = take_ptr(path);
		return;
	}
}

static char *parent_of(const char *path)
{
	struct stat st;
	char *copy = xstrdup(path), *slash;

	if (stat(path, &st) || S_ISDIR(st.st_mode))
		return copy;
	slash = strrchr(copy, '/');
	slash[slash == copy] = '\0';
	return copy;
}

/* quota: 1 of the root's, 2 of all. lower: host path. The number for vfs_mount_*(). */
static int choose(const struct launch_options *opt, struct media *m, const struct launch_medium *medium, unsigned quota,
		  const char *lower)
{
	const bool limited = medium->size || medium->inodes || opt->max_disk;
	AUTO_FREE char *parent = NULL;

	if (medium->kind == MEDIUM_MEMORY && !limited)
		return VFS_UPPER_MEMORY;
	/* One for all that it's for; but of its own for each under its own lower. */
	for (unsigned i = 0; i < m->n && medium->kind != MEDIUM_SELF; i++)
		if (m->stores[i].quota == quota && !m->stores[i].kept)
			return (int)i + 1;
	if (m->n == VFS_STORES)
		die("too many overlays with a filestore of their own (at most %d)", VFS_STORES);
	struct media_store *s = &m->stores[m->n];
	*s = (struct media_store){.lock = -1, .tree = -1, .quota = quota};
	m->quotas[quota].size = medium->size;
	m->quotas[quota].inodes = medium->inodes;
	if (medium->kind == MEDIUM_MEMORY) {
		s->tmpfs_size =
		    medium->size && opt->max_disk ? MIN(medium->size, opt->max_disk) : MAX(medium->size, opt->max_disk);
		m->quotas[quota].hard = true;
	} else {
		parent = medium->kind == MEDIUM_DIR ? xstrdup(medium->dir) : parent_of(lower);
		make_store(parent, s);
	}
	return (int)++m->n;
}

/* The store of a kept layer. */
static int use_kept(struct media *m, const struct launch_medium *medium, unsigned quota, const char *data)
{
	if (medium->kind != MEDIUM_MEMORY)
		die("a kept sandbox has its files' data in its own directory: dir= and self are for others");
	if (m->n == VFS_STORES)
		die("too many overlays that are kept (at most %d)", VFS_STORES);
	m->stores[m->n] = (struct media_store){.lock = -1, .tree = -1, .quota = quota, .kept = data};
	m->quotas[quota].size = medium->size;
	m->quotas[quota].inodes = medium->inodes;
	return (int)++m->n;
}

void media_prepare(const struct launch_options *opt, struct media *m)
{
	const struct launch_medium memory = {.kind = MEDIUM_MEMORY};
	const struct launch_medium *all = opt->all.kind ? &opt->all : &memory;
	bool own = opt->root_medium.kind;

	*m = (struct media){.root = VFS_UPPER_NONE, .quotas = {[VFS_QUOTA_ALL] = {.size = opt->max_disk}}};
	mine = m;
	owner = getpid();
	log_set_die_hook(media_give_up);
	if (opt->keep) {
		m->root = use_kept(m, own ? &opt->root_medium : all, own ? 1 : 2, opt->keep->data);
	} else if (!opt->overlay_none)
		m->root = choose(opt, m, own ? &opt->root_medium : all, own ? 1 : 2, opt->root);
	m->binds = xcalloc(opt->n_mounts + 1, sizeof *m->binds);
	for (unsigned i = 0; i < opt->n_mounts; i++) {
		const struct launch_mount *b = &opt->mounts[i];
		m->binds[i] = !launch_is_cow(opt, b) ? VFS_UPPER_NONE
			      : b->keep              ? use_kept(m, all, 2, b->keep)
						     : choose(opt, m, all, 2, b->src);
	}
	/* A tmpfs keeps a limit by itself if nothing else counts against it. */
	m->quotas[VFS_QUOTA_ALL].hard = !m->n || (m->n == 1 && !m->stores[0].path && !opt->keep);
	for (unsigned i = 0; i < VFS_QUOTAS; i++)
		m->watched |= m->quotas[i].size && !m->quotas[i].hard;
}

void media_chown(const struct media *m, uid_t uid, gid_t gid)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->stores[i].path && fchown(m->stores[i].lock, uid, gid))
			die("can't give %s to the sandbox's uid: %s", m->stores[i].path, strerror(errno));
}

uint32_t media_stores_in(const struct media *m, int dirfd)
{
	struct stat st, parent;
	uint32_t n = 0;
	bool ours = false;

	if (fstat(dirfd, &st) || !S_ISDIR(st.st_mode))
		return 0;
	for (unsigned i = 0; i < m->n && !ours; i++)
		ours = m->stores[i].path && !fstatat(m->stores[i].lock, "..", &parent, 0) && parent.st_dev == st.st_dev &&
		       parent.st_ino == st.st_ino;
	AUTO_CLOSE int fd = ours ? openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	if (!d)
		return 0;
	take_fd(&fd);
	while ((e = readdir(d)))
		n += is_store(e->d_name) && e->d_type != DT_REG;
	closedir(d);
	return n;
}
