/* SPDX-License-Identifier: Apache-2.0 */
/* debug_log.c - the structured log of log.h. Makes no calls but write(2) and clock_gettime(2), which every confined process has. */
#include "base/log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINE_MAX_ 4096 /* no more than PIPE_BUF: also a pipe takes it whole */
#define VALUE_MAX 1024 /* bytes of a string */
#define TAIL      4    /* "}}\n" always fits */

uint8_t log_levels[LF_COUNT];
static int debug_fd = -1;
static const char *process = "front";

static const char *const level_names[] = {"off", "error", "warn", "info", "debug", "trace"};
static const char *const folder_names[LF_COUNT] = {"gofer", "vfs", "kernel", "interposer", "tools"};

struct line {
	size_t n;
	char s[LINE_MAX_];
};

static void add(struct line *l, const char *s, size_t n)
{
	if (n > sizeof(l->s) - TAIL - l->n)
		return;
	memcpy(l->s + l->n, s, n);
	l->n += n;
}

/* Bytes of the well-formed UTF-8 sequence at s, or 0. Overlong forms and surrogates are none (RFC 3629). */
static size_t utf8(const unsigned char *s, size_t n)
{
	size_t len = s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : 0;

	if (!len || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

/* A byte that is no text becomes the character of its number. */
static void add_string(struct line *l, const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;
	bool cut = n > VALUE_MAX;
	char esc[8];

	n = MIN(n, (size_t)VALUE_MAX);
	add(l, "\"", 1);
	for (size_t i = 0; i < n && l->n < sizeof(l->s) - 32;) {
		size_t len = s[i] >= 0x80 ? utf8(s + i, n - i) : s[i] >= 32 && s[i] != '"' && s[i] != '\\' && s[i] != 127;
		if (len) {
			add(l, text + i, len);
			i += len;
			continue;
		}
		int e = s[i] == '"' || s[i] == '\\' ? snprintf(esc, sizeof(esc), "\\%c", s[i])
						    : snprintf(esc, sizeof(esc), "\\u%04x", s[i]);
		add(l, esc, (size_t)e);
		i++;
	}
	add(l, cut ? "...\"" : "\"", cut ? 4 : 1);
}

static void add_field(struct line *l, const struct log_field *f)
{
	char number[32];

	/* All or nothing: what is left must hold key, value and the end. */
	if (l->n + strlen(f->key) + 64 > sizeof(l->s) - TAIL)
		return;
	if (l->s[l->n - 1] != '{')
		add(l, ",", 1);
	add_string(l, f->key, strlen(f->key));
	add(l, ":", 1);
	if (f->str)
		add_string(l, f->str, f->len);
	else
		add(l, number, (size_t)snprintf(number, sizeof(number), "%" PRId64, f->num));
}

void log_write(enum log_folder folder, enum log_level level, const char *message, const struct log_field *fields)
{
	int saved = errno;
	struct timespec now;
	struct line l;

	if (debug_fd < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	l.n = (size_t)snprintf(l.s, sizeof(l.s),
			       "{\"time\":%" PRId64
			       ".%06ld,\"level\":\"%s\",\"folder\":\"%s\",\"process\":\"%s\",\"message\":",
			       (int64_t)now.tv_sec, now.tv_nsec / 1000, level_names[level], folder_names[folder], process);
	add_string(&l, message, strlen(message));
	add(&l, ",\"fields\":{", 11);
	for (; fields->key; fields++)
		add_field(&l, fields);
	memcpy(l.s + l.n, "}}\n", 3);
	/* A line that can't be written has nowhere to be reported. */
	(void)!write(debug_fd, l.s, l.n + 3);
	errno = saved;
}

static int find(const char *const *names, size_t n, const char *s, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(names[i]) == len && !memcmp(names[i], s, len))
			return (int)i;
	return -EINVAL;
}

static int parse_levels(const char *s, uint8_t out[LF_COUNT])
{
	for (;; s++) {
		size_t len = strcspn(s, ","), key = strcspn(s, "=,");
		bool all = key == len;
		int folder = all ? 0 : find(folder_names, LF_COUNT, s, key);
		int level = all ? find(level_names, ARRAY_SIZE(level_names), s, len)
				: find(level_names, ARRAY_SIZE(level_names), s + key + 1, len - key - 1);
		if (folder < 0 || level < 0)
			return -EINVAL;
		for (int i = all ? 0 : folder; i < (all ? LF_COUNT : folder + 1); i++)
			out[i] = (uint8_t)level;
		s += len;
		if (!*s)
			return 0;
	}
}

int log_debug_open(const char *file, const char *levels)
{
	uint8_t wanted[LF_COUNT];
	int r = 0;

	memset(wanted, levels ? LL_OFF : LL_INFO, sizeof(wanted));
	if (levels)
		r = parse_levels(levels, wanted);
	if (r)
		return r;
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOCTTY | O_CLOEXEC, 0666);
	if (fd < 0)
		return -errno;
	debug_fd = fd;
	memcpy(log_levels, wanted, sizeof(wanted));
	return 0;
}

int log_debug_fd(void)
{
	return debug_fd;
}

void log_set_process(const char *name)
{
	process = name;
}

void log_debug_close(void)
{
	memset(log_levels, 0, sizeof(log_levels));
	close_fd_(&debug_fd);
	debug_fd = -1;
}
