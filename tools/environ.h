/* SPDX-License-Identifier: Apache-2.0 */
/* environ.h - the command's environment, edited by options in their order. */
#ifndef TOOLS_ENVIRON_H
#define TOOLS_ENVIRON_H

#include "base/base.h"

/* A NULL terminated vector of owned strings. */
struct env {
	char **v;
	size_t n, size;
};
/* A copy of from, which may be NULL. Dies without memory, as all here. */
void env_init(struct env *e, char **from);
void env_add(struct env *e, char *owned);
void env_unset(struct env *e, const char *key);
void env_clear(struct env *e);
void env_free(struct env *e);
/* Dies unless it's a variable's name; returns it. option: for the message. */
const char *env_check_key(const char *option, const char *key);
void *xgrow(void *old, size_t n, size_t size);

#endif
