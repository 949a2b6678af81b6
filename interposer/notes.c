/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notes.c - hands what was used (vfs/note.c) to the front: text, three strings with their NULs a path. The front takes none of it on trust.
 *
 *   "%x PATH" "ASKED" "OTHER"     ASKED and OTHER may be empty
 *   "!LOST NETWORK" "" ""         the last one
 */
#include "interposer/supervisor.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct out {
	int fd;
	bool failed;
	size_t n;
	char buf[65536];
};

static void flush(struct out *o)
{
	for (size_t at = 0; at < o->n && !o->failed;) {
		ssize_t n = write(o->fd, o->buf + at, o->n - at);
		if (n < 0 && errno == EINTR)
			continue;
		o->failed = n <= 0;
		at += (size_t)MAX(n, 0);
	}
	o->n = 0;
}

static void put(struct out *o, const char *s, size_t n)
{
	if (n > sizeof o->buf - o->n)
		flush(o);
	memcpy(o->buf + o->n, s, n);
	o->n += n;
}

/* With its NUL. None is longer than two PATH_MAX. */
static void put_string(struct out *o, const char *s)
{
	put(o, s ? s : "", s ? strlen(s) + 1 : 1);
}

static void put_note(const struct vfs_note *n, void *arg)
{
	char head[16];
	put(arg, head, (size_t)snprintf(head, sizeof head, "%x ", n->what));
	put_string(arg, n->path);
	put_string(arg, n->asked);
	put_string(arg, n->other);
}

void notes_send(int fd)
{
	struct out *o = calloc(1, sizeof *o);
	uint64_t lost;
	char last[64];
	if (!o)
		die("out of memory");
	o->fd = fd;
	bool network = vfs_notes_walk(put_note, o, &lost);
	snprintf(last, sizeof last, "!%" PRIu64 " %d", lost, network);
	put_string(o, last);
	put_string(o, NULL);
	put_string(o, NULL);
	flush(o);
	free(o);
}
