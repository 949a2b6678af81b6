/* SPDX-License-Identifier: Apache-2.0 */
/* escape.c - ways to a file that --hide covers, which lies on the host all the same: symlinks, "..", proc, descriptors, handles, links, exec. */
#include "tests/security/t.h"

#include <linux/openat2.h>
#include <dirent.h>
#include <limits.h>

static char flag[PATH_MAX], hidden[PATH_MAX];
static const char *top;

static void by_name(void)
{
	char path[PATH_MAX * 2];

	CHECK(!t_leaks(flag), "by its name");
	static const char *const forms[] = {"/proc/self/root%s",
					    "/proc/1/root%s",
					    "/proc/thread-self/root%s",
					    "/proc/self/cwd/../hidden/flag",
					    "/proc/1/cwd%s",
					    "/proc/self/task/1/root%s",
					    "/../../../..%s",
					    "/proc/self/../self/root%s",
					    "/proc/self/fd/../root%s",
					    "/dev/fd/../root%s",
					    "../hidden/flag",
					    "dir/../../hidden/./flag",
					    "dirlink/../../hidden/flag",
					    "//%s"};

	for (size_t i = 0; i < COUNT(forms); i++) {
		snprintf(path, sizeof(path), forms[i], flag);
		CHECK(!t_leaks(path), "%s", forms[i]);
	}
	symlink(flag, "s1");
	symlink("../hidden", "s2");
	symlink("/proc/self/root", "s3");
	snprintf(path, sizeof(path), "s3%s", flag);
	CHECK(!t_leaks("s1") && !t_leaks("s2/flag") && !t_leaks(path), "through symbolic links");
	/* The real root of the process is not the host's: a native chdir or open would show it. */
	for (pid_t p = 1; p < 300; p++) {
		for (const char *const *l = (const char *const[]){"root", "cwd", NULL}; *l; l++) {
			snprintf(path, sizeof(path), "/proc/%d/%s%s", (int)p, *l, flag);
			if (t_leaks(path))
				CHECK(false, "%s", path);
		}
		for (int fd = 0; fd < 20; fd++) {
			snprintf(path, sizeof(path), "/proc/%d/fd/%d%s", (int)p, fd, flag);
			if (t_leaks(path))
				CHECK(false, "%s", path);
		}
	}
}

static void by_descriptor(void)
{
	int w = open(".", O_PATH | O_DIRECTORY), t = open("..", O_RDONLY | O_DIRECTORY), r = open("/", O_PATH);
	struct open_how how = {.flags = O_RDONLY};
	int fds[3] = {w, t, r};

	CHECK(!t_leaks_fd(openat(w, "../hidden/flag", O_RDONLY)), "openat by an O_PATH directory");
	CHECK(!t_leaks_fd(openat(t, "hidden/flag", O_RDONLY)), "openat by the parent");
	CHECK(!t_leaks_fd(openat(r, flag + 1, O_RDONLY)), "openat by the root");
	for (uint64_t resolve = 0; resolve < 64; resolve++) {
		how.resolve = resolve;
		if (t_leaks_fd((int)syscall(SYS_openat2, t, "hidden/flag", &how, sizeof(how))))
			CHECK(false, "openat2 with resolve %d", (int)resolve);
	}
	for (int i = 0; i < 3; i++) {
		char path[PATH_MAX + 64];

		if (fchdir(fds[i]))
			continue;
		if (!chroot("."))
			CHECK(!t_leaks(flag), "after chroot");
		chroot("/");
		snprintf(path, sizeof(path), "/proc/self/fd/%d/../../../../../../../..%s", fds[i], flag);
		CHECK(!t_leaks(path), "dot-dot beyond a descriptor's root");
		for (int k = 0; k < 20; k++)
			if (chdir(".."))
				break;
		CHECK(!t_leaks(flag + 1), "relative, from as high as we come");
	}
	close(w);
	close(t);
	close(r);
}

static void by_other_calls(void)
{
	struct {
		unsigned bytes;
		int type;
		char h[128];
	} handle = {.bytes = 128};
	int mnt;

	CHECK(link(flag, "stolen") < 0 || !t_leaks("stolen"), "hard link");
	CHECK(rename(hidden, "moved") < 0 || !t_leaks("moved/flag"), "rename of what hides it");
	CHECK(rename(flag, "moved2") < 0 || !t_leaks("moved2"), "rename");
	unlink(flag);
	rmdir(hidden);
	CHECK(!t_leaks(flag), "removing the cover");
	char up[PATH_MAX];

	snprintf(up, sizeof(up), "%s/elsewhere", top);
	if (!rename(hidden, up))
		CHECK(!t_leaks("../elsewhere/flag"), "moving the cover");
	CHECK(syscall(SYS_name_to_handle_at, AT_FDCWD, hidden, &handle, &mnt, 0) < 0, "no file handles");
	CHECK(execl(flag, "flag", NULL) < 0, "exec of it");
	fflush(stdout);
	pid_t p = fork();

	if (!p) {
		execlp("cat", "cat", flag, "../hidden/flag", "s1", NULL);
		_exit(1);
	}
	int st;

	waitpid(p, &st, 0);
	CHECK(WEXITSTATUS(st) != 0, "cat of it by another program");
	DIR *d = opendir(hidden);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (!strcmp(e->d_name, "flag"))
			CHECK(false, "its name is listed");
	struct stat s;

	CHECK(stat(flag, &s) < 0, "stat");
	CHECK(truncate(flag, 0) < 0, "truncate");
}

int main(int argc, char **argv)
{
	top = argc > 1 ? argv[1] : "..";
	snprintf(hidden, sizeof(hidden), "%s/hidden", top);
	snprintf(flag, sizeof(flag), "%s/hidden/flag", top);
	by_name();
	CHILD("descriptors", by_descriptor(); fflush(stdout); _exit(t_failures != 0));
	by_other_calls();
	return t_done();
}
