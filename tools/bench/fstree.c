/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fstree.c - a stress of the kind of LTP's fsstress: PROCESSES processes each do OPERATIONS random changes below DIR, all in one tree. Prints the
 * wall time in nanoseconds. The sequence of each process is fixed by its number; what it meets depends on the others, so
 * failures (ENOENT, EEXIST, ENOTEMPTY...) are part of the work. In the end the tree is removed, which is timed, too.
 *
 *     fstree DIR [PROCESSES [OPERATIONS]]
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DIRS  16 /* names a level; two levels of directories */
#define FILES 64

static uint64_t state;
static unsigned rnd(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % n;
}

struct name {
	char s[64];
};
static struct name dir_name(void)
{
	struct name n;

	snprintf(n.s, sizeof(n.s), rnd(3) ? "d%u/d%u" : "d%u", rnd(DIRS), rnd(DIRS));
	return n;
}
static struct name file_name(void)
{
	struct name d = dir_name(), n;

	snprintf(n.s, sizeof(n.s), "%.32s/f%u", d.s, rnd(FILES));
	return n;
}

static char block[65536];

static void write_file(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | (rnd(2) ? O_TRUNC : O_APPEND), 0644);

	if (fd < 0)
		return;
	for (unsigned k = 1 + rnd(3); k; k--)
		if (write(fd, block, 1 + rnd(rnd(4) ? 8192 : sizeof(block))) < 0 && errno == ENOSPC)
			break;
	close(fd);
}

static void read_file(const char *name)
{
	int fd = open(name, O_RDONLY);

	if (fd < 0)
		return;
	while (read(fd, block, sizeof(block)) > 0)
		;
	close(fd);
}

static void list(const char *name)
{
	DIR *d = opendir(name);

	if (!d)
		return;
	while (readdir(d))
		;
	closedir(d);
}

static void one(void)
{
	struct name a = file_name(), b = file_name(), d = dir_name();
	struct stat st;
	int r = 0;

	switch (rnd(20)) {
	case 0 ... 5:
		write_file(a.s);
		break;
	case 6:
	case 7:
		read_file(a.s);
		break;
	case 8:
	case 9:
	case 10:
		r = unlink(a.s);
		break;
	case 11:
	case 12:
		r = rename(a.s, b.s);
		break;
	case 13:
		r = mkdir(d.s, 0755);
		break;
	case 14:
		r = rmdir(d.s);
		break;
	case 15:
		r = link(a.s, b.s);
		break;
	case 16:
		r = symlink("target", a.s);
		break;
	case 17:
		r = truncate(a.s, rnd(20000));
		break;
	case 18:
		list(d.s);
		break;
	default:
		r = stat(a.s, &st);
	}
	(void)r;
}

static int rm(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type;
	return ftw->level ? remove(path) : 0;
}

static unsigned number(const char *s)
{
	return (unsigned)strtoul(s, NULL, 10);
}

int main(int argc, char **argv)
{
	unsigned procs = argc > 2 ? number(argv[2]) : 20, ops = argc > 3 ? number(argv[3]) : 2000;
	struct timespec t0, t1;
	char name[64];
	int bad = 0, status;

	if (argc < 2 || chdir(argv[1])) {
		fprintf(stderr, "usage: fstree DIR [PROCESSES [OPERATIONS]]\n");
		return 2;
	}
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (unsigned i = 0; i < DIRS; i++) {
		snprintf(name, sizeof(name), "d%u", i);
		bad |= mkdir(name, 0755);
		for (unsigned k = 0; k < DIRS; k += 2) {
			snprintf(name, sizeof(name), "d%u/d%u", i, k);
			bad |= mkdir(name, 0755);
		}
	}
	for (unsigned p = 0; p < procs; p++)
		if (!fork()) {
			state = 0x9e3779b97f4a7c15u * (p + 1);
			for (unsigned i = 0; i < ops; i++)
				one();
			_exit(0);
		}
	while (wait(&status) > 0)
		bad |= status;
	bad |= nftw(".", rm, 32, FTW_DEPTH | FTW_PHYS);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	printf("%lld\n", (long long)(t1.tv_sec - t0.tv_sec) * 1000000000 + t1.tv_nsec - t0.tv_nsec);
	return bad ? 1 : 0;
}
