/* SPDX-License-Identifier: Apache-2.0 */
/*
 * t.h - for the programs that run natively and inside and must print the same. They print results, error names and the attributes that must
 * agree; never inode numbers, pids or times of now. The runner starts each one in a scratch directory with these files:
 *
 *   file (8704 bytes, 0644, 2 links) = hard   readonly (0444)   secret (0000)   script (0755, #!/bin/sh)   fifo
 *   dir/a   dir/sub/b (0600)   link -> file   dangling -> nowhere   loop -> loop   dirlink -> dir
 */
#ifndef TESTS_CONFORMANCE_T_H
#define TESTS_CONFORMANCE_T_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static inline void t_result(const char *what, long r, int err)
{
	if (r == -1)
		printf("%-48s -1 %s\n", what, strerrorname_np(err) ? strerrorname_np(err) : "?");
	else
		printf("%-48s %ld\n", what, r);
}

/* Prints the expression, its value and, if that is -1, the error's name. */
#define R(...)                                     \
	({                                         \
		errno = 0;                         \
		long r_ = (long)(__VA_ARGS__);     \
		t_result(#__VA_ARGS__, r_, errno); \
		r_;                                \
	})
/* The same with a name of its own. */
#define N(name, ...)                           \
	({                                     \
		errno = 0;                     \
		long r_ = (long)(__VA_ARGS__); \
		t_result(name, r_, errno);     \
		r_;                            \
	})
/* For calls that return a descriptor: prints only whether there is one, and closes it. */
#define O(...)                                               \
	({                                                   \
		errno = 0;                                   \
		long r_ = (long)(__VA_ARGS__);               \
		int e_ = errno;                              \
		t_result(#__VA_ARGS__, r_ < 0 ? -1 : 0, e_); \
		if (r_ >= 0)                                 \
			close((int)r_);                      \
	})

static inline void t_put(const char *name, const char *text, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, mode);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		printf("t_put %s: %s\n", name, strerrorname_np(errno));
	close(fd);
}

static inline void t_cat(const char *name)
{
	char buf[256];
	int fd = open(name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	if (n < 0) {
		printf("cat %s: %s\n", name, strerrorname_np(errno));
	} else {
		buf[n] = 0;
		printf("cat %s: %zd \"%.*s\"\n", name, n, (int)strcspn(buf, "\n"), buf);
	}
	if (fd >= 0)
		close(fd);
}

static inline void t_show(const char *name, const struct stat *st)
{
	/* A directory's size and link count are the file system's own business. */
	if (S_ISDIR(st->st_mode))
		printf("%s: %o %d:%d\n", name, st->st_mode, (int)st->st_uid, (int)st->st_gid);
	else
		printf("%s: %o %d:%d nlink %d size %lld\n", name, st->st_mode, (int)st->st_uid, (int)st->st_gid,
		       (int)st->st_nlink, (long long)st->st_size);
}

static inline void t_stat(const char *name)
{
	struct stat st;

	if (lstat(name, &st))
		printf("%s: %s\n", name, strerrorname_np(errno));
	else
		t_show(name, &st);
}

/* Runs the block in a child and prints how that ended. */
#define CHILD(name, ...)                                                           \
	do {                                                                       \
		fflush(stdout);                                                    \
		pid_t p_ = fork();                                                 \
		if (p_ == 0) {                                                     \
			{                                                          \
				__VA_ARGS__;                                       \
			}                                                          \
			fflush(stdout);                                            \
			_exit(0);                                                  \
		}                                                                  \
		int s_ = 0;                                                        \
		if (waitpid(p_, &s_, 0) != p_)                                     \
			printf("%s: waitpid: %s\n", name, strerrorname_np(errno)); \
		else if (WIFSIGNALED(s_))                                          \
			printf("%s: signal %d\n", name, WTERMSIG(s_));             \
		else                                                               \
			printf("%s: exit %d\n", name, WEXITSTATUS(s_));            \
	} while (0)

#endif
