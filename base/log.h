/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - messages to the person who started the sandbox. All go to the log descriptor (stderr unless
 * log_set_fd() was called), each as one line, written with one write(2), prefixed "sandbox: ".
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/base.h"

void log_set_fd(int fd);
/* Makes text harmless to a terminal, which obeys control characters: '?' in their place, but for tabs and line breaks. Messages are. */
void log_clean(char *s);
void log_msg(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Run by die() after the message, before the process ends: the last chance to tell another process. Returns the one before. */
void (*log_set_die_hook(void (*hook)(void)))(void);
/* Prints the message and ends the process with status 125: the sandbox's own failure. */
_Noreturn void die(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* malloc family that ends the process when memory runs out. Only for start-up and for small fixed objects;
 * what a tracee can make grow uses malloc and answers ENOMEM. */
void *xcalloc(size_t n, size_t size) MUST_CHECK;
char *xstrdup(const char *s) MUST_CHECK;
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2) MUST_CHECK;

/*
 * The debug log (--debug-log): one JSON object a line, {"time":S,"level":"debug","folder":"vfs","process":"supervisor","message":"...",
 * "fields":{...}}, each written with one write(2) to a file opened for appending, so that processes and threads share it. How much is
 * written is set for each folder of the tree. Not logging costs a branch on a byte that nobody writes.
 */
enum log_level { LL_OFF, LL_ERROR, LL_WARN, LL_INFO, LL_DEBUG, LL_TRACE };
enum log_folder { LF_GOFER, LF_VFS, LF_KERNEL, LF_INTERPOSER, LF_TOOLS, LF_COUNT };
extern uint8_t log_levels[LF_COUNT];
/* A value: a key from our own source, and a number or (str not NULL) bytes that may be anybody's: they are escaped and cut. */
struct log_field {
	const char *key, *str;
	size_t len;
	int64_t num;
};
#define LOG_INT(k, v) ((struct log_field){.key = (k), .num = (int64_t)(v)})
#define LOG_STR(k, v) log_str_field(k, v)
static inline struct log_field log_str_field(const char *key, const char *s)
{
	return (struct log_field){.key = key, .str = s ? s : "", .len = s ? __builtin_strlen(s) : 0};
}
#define log_on(folder, level) unlikely(log_levels[folder] >= (level))
/* LOG_INT() and LOG_STR() follow the message; they are evaluated only if the line is written. */
#define log_event(folder, level, message, ...)                                                                  \
	do {                                                                                                    \
		if (log_on(folder, level))                                                                      \
			log_write(folder, level, message,                                                       \
				  (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, )(struct log_field){0}}); \
	} while (0)
/* fields end with one without a key. errno stays what it was. */
void log_write(enum log_folder folder, enum log_level level, const char *message, const struct log_field *fields);
/* Opens the file, emptied. levels: "LEVEL" for all folders or "FOLDER=LEVEL,..."; NULL: info for all. 0; -EINVAL for levels that aren't
 * any; else -errno of the file. */
int log_debug_open(const char *file, const char *levels) MUST_CHECK;
/* Its descriptor (close-on-exec), or -1: for who closes all others. */
int log_debug_fd(void);
/* Who we are from now on in its lines. */
void log_set_process(const char *name);
/* No more lines of this process. */
void log_debug_close(void);

#endif
