/* SPDX-License-Identifier: Apache-2.0 */
/* values.h - values of options, from text. All die with a message that begins with the option's name if the value is no good. */
#ifndef TOOLS_VALUES_H
#define TOOLS_VALUES_H

#include "base/base.h"

/* An absolute path without "..". */
const char *value_inside(const char *option, const char *path);
/* A directory or (not with want_dir) a regular file of the host's, made absolute; the caller's to free. */
char *value_host_path(const char *option, const char *path, bool want_dir);
/* A user or group id. */
uint32_t value_id(const char *option, const char *s);
/* Bytes. */
uint64_t value_size(const char *option, const char *s);
/* A number above 0, with decimals if unit isn't 1, times unit, at most max. */
uint64_t value_count(const char *option, const char *s, uint64_t unit, uint64_t max);
const char *value_hostname(const char *s);

#endif
