/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox options: --root TOP/root --ro-bind /usr /usr --ro-bind BIN BIN --bind TOP/share/in /in --chdir /in */
/*
 * outside.c - out of a root that isn't the host's, and out of a bind that is written to: their parents hold the host's secret. By symlinks,
 * "..", proc, descriptors, openat2, handles, hard links, renames of what is being walked, and natively by what a descriptor allows.
 */
#include "tests/security/t.h"

#include <limits.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/socket.h>

#define DEPTH 12

static const char *top;
static atomic_bool stop;

/* "../" so often, then a name. */
static const char *up(int n, const char *name)
{
	static char path[PATH_MAX];
	char *p = path;

	while (n--)
		p = stpcpy(p, "../");
	stpcpy(p, name);
	return path;
}

static void by_name(void)
{
	char path[PATH_MAX * 2], host[PATH_MAX];
	static const char *const from[] = {
	    "",         "/proc/self/root", "/proc/1/root", "/proc/self/cwd/", "/proc/1/cwd/", "/proc/self/fd/../root",
	    "/in/sub/", "/in/link/",       "/usr/../in/"};

	snprintf(host, sizeof(host), "%s/flag", top);
	CHECK(!t_leaks(host), "the host's own name of it");
	symlink("/", "/in/link");
	symlink("..", "/in/parent");
	symlink(host, "/in/direct");
	symlink(up(DEPTH, "flag"), "/in/relative");
	int leaks = t_leaks("/in/parent/flag") + t_leaks("/in/direct") + t_leaks("/in/relative");
	for (size_t i = 0; i < COUNT(from); i++) {
		for (int n = 0; n < DEPTH; n++) {
			snprintf(path, sizeof(path), "%s/%s", from[i], up(n, "flag"));
			leaks += t_leaks(path);
			snprintf(path, sizeof(path), "%s/%s", from[i], up(n, host + 1));
			leaks += t_leaks(path);
		}
	}
	CHECK(!leaks, "by names, links and proc: %d leaks", leaks);
}

static void by_descriptor(void)
{
	static const char *const names[] = {"/", "/in", "/in/sub", "/usr", "/proc/self/root", "/proc/1/root", "/tmp"};
	int leaks = 0;

	for (size_t i = 0; i < COUNT(names); i++) {
		for (int flags = 0; flags < 2; flags++) {
			int fd = open(names[i], (flags ? O_PATH : O_RDONLY) | O_DIRECTORY);
			char path[PATH_MAX];

			for (int n = 0; n < DEPTH && fd >= 0; n++) {
				leaks += t_leaks_fd(openat(fd, up(n, "flag"), O_RDONLY));
				for (uint64_t resolve = 0; resolve < 64 && n % 4 == 1; resolve++) {
					struct open_how how = {.flags = O_RDONLY, .resolve = resolve};

					int got = (int)syscall(SYS_openat2, fd, up(n, "flag"), &how, sizeof(how));
					leaks += t_leaks_fd(got);
					if (got >= 0)
						close(got);
				}
				snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", fd, up(n, "flag"));
				leaks += t_leaks(path);
			}
			if (fd >= 0 && !fchdir(fd)) {
				leaks += t_leaks("flag") + t_leaks("../flag");
				chroot(".");
				leaks += t_leaks("../flag") + t_leaks("/flag");
			}
			close(fd);
		}
	}
	/* The bind's directory is the host's: what leads up from it natively, without a name that we answer? */
	int fd = open("/in", O_RDONLY | O_DIRECTORY);
	leaks += t_leaks_fd((int)syscall(SYS_open_tree, fd, "..", 0));
	struct {
		unsigned bytes;
		int type;
		char h[128];
	} handle = {.bytes = 128};
	int mnt;

	CHECK(syscall(SYS_name_to_handle_at, fd, "..", &handle, &mnt, 0) < 0, "no file handles of a bind");
	handle.bytes = 8;
	handle.type = 1;
	CHECK(syscall(SYS_open_by_handle_at, fd, &handle, O_RDONLY) < 0, "nor files by a handle");
	CHECK(!leaks, "by descriptors: %d leaks", leaks);
}

static void by_link(void)
{
	char host[PATH_MAX];

	snprintf(host, sizeof(host), "%s/flag", top);
	CHECK(link("../flag", "/in/hard") < 0 && link(host, "/in/hard") < 0, "no hard link from outside");
	CHECK(rename("../flag", "/in/moved") < 0, "no move from outside");
	CHECK(rename("/in/sub", "/sub") < 0 && errno == EXDEV, "no move out of the bind: %s", strerrorname_np(errno));
	CHECK(rename("/in", "/elsewhere") < 0, "the bind itself stays: %s", strerrorname_np(errno));
	CHECK(mount("/in/..", "/tmp", NULL, MS_BIND, NULL) < 0, "no bind of the parent");
}

/* Directories of the bind change their parents while they are walked upwards. */
static void *mover(void *arg)
{
	while (!atomic_load(&stop)) {
		rename("/in/a/b/c", "/in/c");
		rename("/in/c", "/in/a/b/c");
	}
	return NULL;
}

static void by_move(void)
{
	pthread_t t;
	int leaks = 0, outside = 0;

	mkdir("/in/a", 0755);
	mkdir("/in/a/b", 0755);
	mkdir("/in/a/b/c", 0755);
	int deep = open("/in/a/b/c", O_PATH | O_DIRECTORY), in = open("/in", O_PATH | O_DIRECTORY);
	pthread_create(&t, NULL, mover, NULL);
	for (int i = 0; i < t_tries(5000, 100000); i++) {
		struct open_how how = {.flags = O_RDONLY, .resolve = i % 2 ? RESOLVE_BENEATH : RESOLVE_IN_ROOT};
		int fd = openat(deep, "../../../../flag", O_RDONLY);

		leaks += t_leaks_fd(fd);
		close(fd);
		fd = openat(deep, "../../flag", O_RDONLY);
		leaks += t_leaks_fd(fd);
		close(fd);
		fd = (int)syscall(SYS_openat2, in, "a/b/c/../../../../usr/bin/env", &how, sizeof(how));
		outside += fd >= 0;
		close(fd);
	}
	atomic_store(&stop, true);
	pthread_join(t, NULL);
	CHECK(!leaks && !outside, "by moving what is walked: %d leaks, %d opens left the directory", leaks, outside);
}

static void clean(void)
{
	static const char *const names[] = {"a/b/c", "c", "a/b", "a", "link", "parent", "direct", "relative"};
	char path[64];

	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof(path), "/in/%s", names[i]);
		if (unlink(path))
			rmdir(path);
	}
	/* What is in the bind was changed by right. */
	struct timespec then[2] = {{1600000000, 0}, {1600000000, 0}};

	utimensat(AT_FDCWD, "/in", then, 0);
}

int main(int argc, char **argv)
{
	top = argv[1];
	/* The tests would pass where nothing can be read. */
	char buf[16] = "";
	int fd = open("/in/file", O_RDWR);

	CHECK(fd >= 0 && read(fd, buf, 7) == 7 && !memcmp(buf, "shared\n", 7), "the bind is there");
	by_name();
	by_link();
	by_move();
	CHILD("descriptors", by_descriptor(); fflush(stdout); _exit(t_failures != 0));
	clean();
	return t_done();
}
