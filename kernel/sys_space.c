/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_space.c - calls that make a file grow, where a size limit is kept by us. Then alone the filter stops them; they are
 * written natively if there's room. What is asked here decides about space only: memory that changes afterwards can overrun the
 * limit, by what the keeper allows, and nothing else.
 */
#include "kernel/syscall.h"

#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define ONE_CALL 0x7ffff000U /* MAX_RW_COUNT: no call moves more */
#define PIPE_MAX (1U << 20)

/* Total of an iovec. What can't be read fails natively with the right errno. */
static uint64_t iov_total(struct call *c)
{
	uint64_t count = MIN(c->args[2], (uint64_t)UIO_MAXIOV), at = c->args[1], sum = 0;
	struct iovec v[64];

	while (count) {
		size_t n = (size_t)MIN(count, (uint64_t)ARRAY_SIZE(v));
		if (c->ops->read(c, at, v, n * sizeof(v[0])))
			return 0;
		for (size_t i = 0; i < n; i++)
			sum = MIN(sum + MIN((uint64_t)v[i].iov_len, (uint64_t)ONE_CALL), (uint64_t)ONE_CALL);
		at += n * sizeof(v[0]);
		count -= n;
	}
	return sum;
}

/* How much of count can come from descriptor in at the offset that ptr points to. cp asks for much more than there is. */
static uint64_t available(struct call *c, int in, uint64_t ptr, uint64_t count)
{
	AUTO_CLOSE int fd = c->ops->get_fd(c, in);
	struct stat st;
	int64_t off = -1;

	if (fd < 0 || fstat(fd, &st))
		return 0;
	if (!S_ISREG(st.st_mode))
		return MIN(count, (uint64_t)PIPE_MAX);
	if (ptr) {
		if (c->ops->read(c, ptr, &off, sizeof(off)))
			return 0;
	} else {
		off = lseek(fd, 0, SEEK_CUR);
	}
	if (off < 0 || off >= st.st_size)
		return 0;
	return MIN(count, (uint64_t)(st.st_size - off));
}

int64_t space_check(struct call *c)
{
	int64_t off = -1, anywhere = INT64_MAX;
	int out = arg_int(c, 0), r;
	uint64_t n;

	switch (c->nr) {
	case SYS_write:
		n = c->args[2];
		break;
	case SYS_pwrite64:
		n = c->args[2];
		off = (int64_t)c->args[3];
		break;
	case SYS_writev:
		n = iov_total(c);
		break;
	case SYS_pwritev:
	case SYS_pwritev2:
		n = iov_total(c);
		off = (int64_t)c->args[3];
		break;
	case SYS_fallocate:
		n = c->args[3];
		off = (int64_t)c->args[2];
		break;
	case SYS_sendfile:
		n = available(c, arg_int(c, 1), c->args[2], MIN(c->args[3], (uint64_t)ONE_CALL));
		break;
	case SYS_splice:
	case SYS_copy_file_range:
		out = arg_int(c, 2);
		n = available(c, arg_int(c, 0), c->args[1], MIN(c->args[4], (uint64_t)ONE_CALL));
		off = c->args[3] ? anywhere : -1;
		break;
	default:
		return CALL_CONTINUE;
	}
	if (c->nr != SYS_fallocate)
		n = MIN(n, (uint64_t)ONE_CALL);
	if (!n || vfs_space_take(n))
		return CALL_CONTINUE;
	AUTO_CLOSE int fd = c->ops->get_fd(c, out);
	if (fd < 0)
		return CALL_CONTINUE;
	r = vfs_may_grow(fd, off, n);
	return r ? r : CALL_CONTINUE;
}
