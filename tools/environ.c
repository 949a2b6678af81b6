/* SPDX-License-Identifier: Apache-2.0 */
/* environ.c - see environ.h. */
#include "tools/environ.h"

#include "base/log.h"

#include <string.h>

void *xgrow(void *old, size_t n, size_t size)
{
	void *p = reallocarray(old, n, size);

	if (!p)
		die("out of memory");
	return p;
}

void env_add(struct env *e, char *owned)
{
	if (e->n + 1 >= e->size) {
		e->size = e->size ? 2 * e->size : 64;
		e->v = xgrow(e->v, e->size, sizeof(*e->v));
	}
	e->v[e->n++] = owned;
	e->v[e->n] = NULL;
}

void env_unset(struct env *e, const char *key)
{
	size_t len = strlen(key), to = 0;

	for (size_t i = 0; i < e->n; i++) {
		if (!strncmp(e->v[i], key, len) && e->v[i][len] == '=')
			free(e->v[i]);
		else
			e->v[to++] = e->v[i];
	}
	e->n = to;
	e->v[to] = NULL;
}

void env_clear(struct env *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->v[i]);
	e->n = 0;
	e->v[0] = NULL;
}

void env_init(struct env *e, char **from)
{
	*e = (struct env){0};
	env_add(e, xstrdup(""));
	env_clear(e);
	for (; from && *from; from++)
		env_add(e, xstrdup(*from));
}

const char *env_check_key(const char *option, const char *key)
{
	if (!*key || strchr(key, '='))
		die("--%s: \"%s\" is not a variable's name", option, key);
	return key;
}

void env_free(struct env *e)
{
	env_clear(e);
	free(e->v);
	*e = (struct env){0};
}
