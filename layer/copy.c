/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy.c - copies a backing file: a clone where the file system can do that, and holes stay holes.
 */
#include "layer/layer.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define CHUNK (1U << 18)

static int copy_range(int in, int out, off_t off, off_t end, char *buf)
{
	while (off < end) {
		off_t i = off, o = off;
		ssize_t n = copy_file_range(in, &i, out, &o, (size_t)(end - off), 0);
		if (n <= 0) {
			n = pread(in, buf, (size_t)MIN(end - off, (off_t)CHUNK), off);
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return n ? -errno : 0; /* shorter than it was */
			int r = journal_write(out, buf, (size_t)n, off);
			if (r)
				return r;
		}
		off += n;
	}
	return 0;
}

static int copy_data(int in, int out, off_t size)
{
	AUTO_FREE char *buf = NULL;
	off_t off = 0, end;
	int r = 0;

	if (ftruncate(out, size))
		return -errno;
	if (!ioctl(out, FICLONE, in))
		return 0;
	buf = malloc(CHUNK);
	if (!buf)
		return -ENOMEM;
	while (!r && off < size && (off = lseek(in, off, SEEK_DATA)) >= 0) {
		end = lseek(in, off, SEEK_HOLE);
		if (end < 0)
			return -errno;
		r = copy_range(in, out, off, MIN(end, size), buf);
		off = end;
	}
	return off < 0 && errno != ENXIO ? -errno : r;
}

int layer_copy_back(int from, uint64_t id, const struct layer *to, uint64_t new_id)
{
	char name[24];
	struct stat st;
	uid_t kuid = to->meta.kuid;
	int r = layer_stat_back(from, id, &st);

	if (r)
		return r;
	snprintf(name, sizeof(name), "%" PRIu64, new_id);
	if (S_ISFIFO(st.st_mode)) {
		if (mkfifoat(to->storefd, name, 0600) ||
		    (kuid && fchownat(to->storefd, name, kuid, kuid, AT_SYMLINK_NOFOLLOW)))
			return -errno;
		return 0;
	}
	AUTO_CLOSE int in = layer_open_back(from, id, O_RDONLY);
	if (in < 0)
		return in;
	AUTO_CLOSE int out = openat(to->storefd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct timespec ts[2] = {st.st_atim, st.st_mtim};
	if (out < 0 || (kuid && fchown(out, kuid, kuid)))
		return -errno;
	r = copy_data(in, out, st.st_size);
	return r ? r : futimens(out, ts) ? -errno : 0;
}
