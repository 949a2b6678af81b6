/* SPDX-License-Identifier: Apache-2.0 */
/* names.c - calls that make, move and remove names, and their errors. */
#include "tests/conformance/t.h"

#include <dirent.h>

static void list(const char *dir)
{
	struct dirent **v;
	int n = scandir(dir, &v, NULL, alphasort);

	printf("%s:", dir);
	for (int i = 0; i < n; i++)
		printf(" %s/%d", v[i]->d_name, v[i]->d_type);
	printf("\n");
}

static void directories(void)
{
	R(mkdir("d", 0755));
	R(mkdir("d", 0755));
	R(mkdir("d/e/", 0700));
	R(mkdir("nope/x", 0700));
	R(mkdir("file/x", 0700));
	R(mkdir("link", 0700));
	R(mkdir("dangling", 0700));
	R(mkdir("dangling/", 0700));
	R(mkdir(".", 0700));
	R(mkdir("..", 0700));
	R(mkdir("", 0700));
	R(mkdir("/", 0700));
	R(rmdir("d"));
	R(rmdir("d/e/."));
	R(rmdir("d/e/.."));
	R(rmdir("file"));
	R(rmdir("dirlink"));
	R(rmdir("dirlink/"));
	R(rmdir("nope"));
	R(rmdir("/"));
	R(rmdir("d/e/"));
	R(rmdir("d"));
	R(rmdir("dir"));
	t_stat("d");
}

static void links(void)
{
	char buf[64];

	R(link("file", "l1"));
	t_stat("file");
	t_stat("l1");
	R(link("file", "l1"));
	R(link("file", "nope/l"));
	R(link("nope", "l2"));
	R(link("dir", "l2"));
	R(link("link", "l3"));
	t_stat("l3");
	R(linkat(AT_FDCWD, "link", AT_FDCWD, "l4", AT_SYMLINK_FOLLOW));
	t_stat("l4");
	R(linkat(AT_FDCWD, "file", AT_FDCWD, "l5", 0x8000));
	R(symlink("target", "s1"));
	R(symlink("target", "s1"));
	R(symlink("", "s2"));
	R(symlink("x", "nope/s"));
	R(readlink("s1", buf, sizeof(buf)));
	R(readlink("s1", buf, 3));
	R(readlink("s1", buf, 0));
	R(readlink("file", buf, sizeof(buf)));
	R(readlink("nope", buf, sizeof(buf)));
	R(readlink("dir", buf, sizeof(buf)));
	R(readlink("s1/", buf, sizeof(buf)));
	R(unlink("s1"));
	R(unlink("dir"));
	R(unlink("nope"));
	R(unlink("file/"));
	R(unlink("."));
	R(unlink("dirlink/"));
	R(unlink("hard"));
	t_stat("file");
	R(unlinkat(AT_FDCWD, "dir", AT_REMOVEDIR));
	R(unlinkat(AT_FDCWD, "file", 0x8000));
	R(mknod("node", S_IFREG | 0644, 0));
	R(mknod("pipe", S_IFIFO | 0600, 0));
	R(mknod("sock", S_IFSOCK | 0600, 0));
	R(mknod("bad", S_IFDIR | 0600, 0));
	R(mknod("node", S_IFREG | 0600, 0));
	t_stat("node");
	t_stat("pipe");
	t_stat("sock");
	/* Forty links in a row are followed, one more is ELOOP. */
	t_put("c0", "end\n", 0644);
	for (int i = 1; i <= 41; i++) {
		char from[8], to[8];

		snprintf(from, sizeof(from), "c%d", i - 1);
		snprintf(to, sizeof(to), "c%d", i);
		if (symlink(from, to))
			printf("symlink %d failed\n", i);
	}
	/* A walk that something disturbed is done again from the start, and the count of links goes on (total_link_count in fs/namei.c). */
	int r = -1;
	for (int i = 0; r && i < 100; i++)
		r = access("c40", F_OK);
	N("access(\"c40\", F_OK)", r);
	R(access("c41", F_OK));
}

static void renames(void)
{
	mkdir("r", 0755);
	t_put("r/a", "a\n", 0644);
	t_put("r/b", "b\n", 0644);
	mkdir("r/d", 0755);
	mkdir("r/e", 0755);
	t_put("r/e/x", "x\n", 0644);
	R(rename("r/a", "r/b"));
	t_cat("r/b");
	t_stat("r/a");
	R(rename("r/a", "r/c"));
	R(rename("r/b", "r/b"));
	R(rename("r/b", "r/d"));
	R(rename("r/d", "r/b"));
	R(rename("r/d", "r/e"));
	R(rename("r/e", "r/d"));
	t_cat("r/d/x");
	R(rename("r", "r/d/r"));
	R(rename("r/d", "r"));
	R(rename("r/d/.", "r/q"));
	R(rename("r/b", "nope/b"));
	R(rename("r/b", "r/q/"));
	R(rename("r/d", "r/q/"));
	R(rename("dangling", "r/moved"));
	t_stat("r/moved");
	R(rename("dir", "r/dir"));
	t_cat("r/dir/sub/b");
	t_cat("dirlink/a");
	R(renameat2(AT_FDCWD, "r/b", AT_FDCWD, "r/moved", RENAME_NOREPLACE));
	R(renameat2(AT_FDCWD, "r/b", AT_FDCWD, "r/n", RENAME_NOREPLACE));
	R(renameat2(AT_FDCWD, "r/n", AT_FDCWD, "r/q", RENAME_EXCHANGE));
	t_stat("r/n");
	t_stat("r/q");
	R(renameat2(AT_FDCWD, "r/n", AT_FDCWD, "r/zz", RENAME_EXCHANGE));
	R(renameat2(AT_FDCWD, "r", AT_FDCWD, "r/q", RENAME_EXCHANGE));
	R(renameat2(AT_FDCWD, "r/n", AT_FDCWD, "r/zz", RENAME_EXCHANGE | RENAME_NOREPLACE));
	R(renameat2(AT_FDCWD, "r/n", AT_FDCWD, "r/zz", 1 << 20));
	/* Two names of one file: nothing happens, both stay. */
	t_put("h1", "h\n", 0644);
	link("h1", "h2");
	R(rename("h1", "h2"));
	t_stat("h1");
	t_stat("h2");
	list("r");
	list("r/dir");
	list(".");
}

/* An empty name counts before its descriptor, unless it may be empty. */
static void empty(void)
{
	const int no = 99;
	struct stat st;
	char buf[8];

	O(openat(no, "", O_RDONLY));
	O(openat(no, "", O_CREAT | O_WRONLY, 0600));
	R(fchmodat(no, "", 0600, 0));
	R(syscall(SYS_fchmodat, no, "", 0600));
	R(fchownat(no, "", 0, 0, 0));
	R(fchownat(no, "", 0, 0, AT_EMPTY_PATH));
	R(utimensat(no, "", NULL, 0));
	R(faccessat(no, "", F_OK, 0));
	R(fstatat(no, "", &st, 0));
	R(fstatat(no, "", &st, AT_EMPTY_PATH));
	R(readlinkat(no, "", buf, sizeof(buf)));
	R(readlinkat(AT_FDCWD, "", buf, sizeof(buf)));
	R(readlink("", buf, sizeof(buf)));
	R(mkdirat(no, "", 0700));
	R(mknodat(no, "", S_IFIFO | 0600, 0));
	R(unlinkat(no, "", 0));
	R(unlinkat(no, "", AT_REMOVEDIR));
	R(symlinkat("x", no, ""));
	R(symlinkat("", no, "x"));
	R(linkat(no, "", no, "x", 0));
	R(linkat(AT_FDCWD, "file", no, "", 0));
	R(linkat(no, "", AT_FDCWD, "x", AT_EMPTY_PATH));
	R(renameat(no, "", no, "x"));
	R(renameat(AT_FDCWD, "file", no, ""));
	R(chmod("", 0600));
	R(chdir(""));
	R(truncate("", 0));
}

int main(void)
{
	umask(022);
	empty();
	directories();
	links();
	renames();
	return 0;
}
