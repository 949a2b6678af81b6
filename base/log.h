/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - messages to the person who started the sandbox. All go to the log descriptor (stderr unless
 * log_set_fd() was called), each as one line, written with one write(2), prefixed "sandbox: ".
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/base.h"

void log_set_fd(int fd);
/* The descriptor messages go to; never closed by this module. */
int log_fd(void);
void log_msg(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Run by die() after the message, before the process ends: the last chance to tell another process. */
void log_set_die_hook(void (*hook)(void));
/* Prints the message and ends the process with status 125: the sandbox's own failure. */
_Noreturn void die(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* malloc family that ends the process when memory runs out. Only for start-up and for small fixed objects;
 * what a tracee can make grow uses malloc and answers ENOMEM. */
void *xcalloc(size_t n, size_t size) MUST_CHECK;
char *xstrdup(const char *s) MUST_CHECK;
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2) MUST_CHECK;

#endif
