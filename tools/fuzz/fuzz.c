/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.c - what fuzz targets share (fuzz.h). */
#include "tools/fuzz/fuzz.h"

#include "base/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

void fuzz_broken(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

static uint64_t take(struct fuzz_in *in, size_t n)
{
	uint64_t v = 0;

	n = MIN(n, in->left);
	for (size_t k = 0; k < n; k++)
		v |= (uint64_t)in->p[k] << (8 * k);
	in->p += n;
	in->left -= n;
	return v;
}

uint8_t fuzz_u8(struct fuzz_in *in)
{
	return (uint8_t)take(in, 1);
}

uint16_t fuzz_u16(struct fuzz_in *in)
{
	return (uint16_t)take(in, 2);
}

uint32_t fuzz_u32(struct fuzz_in *in)
{
	return (uint32_t)take(in, 4);
}

uint64_t fuzz_u64(struct fuzz_in *in)
{
	return take(in, 8);
}

unsigned fuzz_below(struct fuzz_in *in, unsigned n)
{
	return n ? (unsigned)take(in, n > 256 ? 2 : 1) % n : 0;
}

const uint8_t *fuzz_bytes(struct fuzz_in *in, size_t max, size_t *n)
{
	size_t want = fuzz_u16(in);
	const uint8_t *p = in->p;

	*n = MIN(MIN(want, max), in->left);
	in->p += *n;
	in->left -= *n;
	return p;
}

char *fuzz_string(struct fuzz_in *in, size_t max)
{
	size_t n;
	const char *p = (const char *)fuzz_bytes(in, max, &n);
	char *s = malloc(n + 1);

	FUZZ_CHECK(s);
	memcpy(s, p, n);
	s[n] = '\0';
	return s;
}

/* A sanitizer tells of every allocation; other builds lack the function. */
#pragma weak __sanitizer_install_malloc_and_free_hooks
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
					      void (*on_free)(const volatile void *));

static struct {
	jmp_buf back;
	bool on;
	size_t n;
	const volatile void *held[4096];
} dying;

static void on_malloc(const volatile void *p, UNUSED size_t n)
{
	if (dying.on && dying.n < ARRAY_SIZE(dying.held))
		dying.held[dying.n++] = p;
}

static void on_free(const volatile void *p)
{
	if (!dying.on)
		return;
	for (size_t k = dying.n; k > 0; k--)
		if (dying.held[k - 1] == p) {
			dying.held[k - 1] = dying.held[--dying.n];
			return;
		}
}

static void on_die(void)
{
	if (dying.on)
		longjmp(dying.back, 1);
}

bool fuzz_dies(void (*fn)(void *arg), void *arg)
{
	static bool ready;

	if (!ready) {
		log_set_die_hook(on_die);
		log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
		if (__sanitizer_install_malloc_and_free_hooks)
			FUZZ_CHECK(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free));
		ready = true;
	}
	dying.n = 0;
	if (setjmp(dying.back)) {
		dying.on = false;
		while (dying.n)
			free((void *)(uintptr_t)dying.held[--dying.n]);
		return true;
	}
	dying.on = true;
	fn(arg);
	dying.on = false;
	return false;
}

int fuzz_memfd(const void *p, size_t n)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	FUZZ_CHECK(fd >= 0);
	FUZZ_CHECK(pwrite(fd, p, n, 0) == (ssize_t)n);
	return fd;
}

static char scratch[64];
static pid_t scratch_owner;

static void remove_scratch(void)
{
	int fd;

	if (getpid() != scratch_owner)
		return;
	fd = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	fuzz_empty(fd);
	close(fd);
	rmdir(scratch);
}

const char *fuzz_scratch(void)
{
	if (scratch_owner != getpid()) {
		snprintf(scratch, sizeof(scratch), "%s/sandbox-fuzz.XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
		FUZZ_CHECK(mkdtemp(scratch));
		scratch_owner = getpid();
		FUZZ_CHECK(!atexit(remove_scratch));
	}
	return scratch;
}

void fuzz_empty(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	FUZZ_CHECK(d);
	while ((e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (!unlinkat(dirfd, e->d_name, 0))
			continue;
		FUZZ_CHECK(errno == EISDIR);
		if (unlinkat(dirfd, e->d_name, AT_REMOVEDIR)) {
			int sub;
			/* An ordinary user can't look into what a target made without rights. */
			(void)!fchmodat(dirfd, e->d_name, 0700, 0);
			sub = openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			FUZZ_CHECK(sub >= 0);
			fuzz_empty(sub);
			close(sub);
			FUZZ_CHECK(!unlinkat(dirfd, e->d_name, AT_REMOVEDIR));
		}
	}
	closedir(d);
}

unsigned fuzz_count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	FUZZ_CHECK(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}
