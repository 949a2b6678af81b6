/* SPDX-License-Identifier: Apache-2.0 */
/* values.c - see values.h. */
#include "tools/values.h"

#include "base/log.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ".." would mean different places before and after a symlink is made inside: there is no honest way to take it. */
const char *value_inside(const char *option, const char *path)
{
	if (path[0] != '/')
		die("--%s: \"%s\" is not an absolute path", option, path);
	for (const char *p = path; (p = strstr(p, "/..")); p += 3)
		if (!p[3] || p[3] == '/')
			die("--%s: \"%s\" has a \"..\" component", option, path);
	return path;
}

char *value_host_path(const char *option, const char *path, bool want_dir)
{
	struct stat st;

	if (stat(path, &st))
		die("--%s: %s: %m", option, path);
	if (want_dir && !S_ISDIR(st.st_mode))
		die("--%s: %s: %s", option, path, strerror(ENOTDIR));
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		die("--%s: %s: neither a directory nor a regular file", option, path);
	if (path[0] == '/')
		return xstrdup(path);

	char *cwd AUTO_FREE = getcwd(NULL, 0);

	if (!cwd)
		die("current directory: %m");
	return xasprintf("%s/%s", cwd, path);
}

/* 0 to 2^32-2: (uid_t)-1 means "unchanged" to the kernel. */
uint32_t value_id(const char *option, const char *s)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(s, &end, 10);
	if (!isdigit((unsigned char)*s) || *end || errno || v >= UINT32_MAX)
		die("--%s: \"%s\" is not a number from 0 to %u", option, s, UINT32_MAX - 1);
	return (uint32_t)v;
}

/* A number with decimals times unit, no more than max; what follows it in *end. */
static uint64_t value_decimal(const char *option, const char *s, uint64_t unit, uint64_t max, const char **end)
{
	uint64_t v = 0, part = 0, scale = 1;
	const char *p = s;

	for (; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(v, UINT64_C(10), &v) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			die("--%s: \"%s\" is too large", option, s);
	if (p > s && *p == '.')
		for (p++; isdigit((unsigned char)*p); p++) {
			if (scale >= 1000000)
				continue;
			part = 10 * part + (uint64_t)(*p - '0');
			scale *= 10;
		}
	if (p == s || __builtin_mul_overflow(v, unit, &v) || v > max)
		die("--%s: \"%s\" is %s", option, s, p == s ? "not a number" : "too large");
	*end = p;
	return v + part * unit / scale;
}

/* Bytes, with K, M, G or T for powers of 1024 (KiB, kB... too, all the same). */
uint64_t value_size(const char *option, const char *s)
{
	static const char units[] = "kmgt";
	uint64_t unit = 1;
	const char *end = s + strspn(s, "0123456789."), *u;

	if (*end && (u = strchr(units, tolower((unsigned char)*end)))) {
		unit = UINT64_C(1) << (10 * (u - units + 1));
		end++;
	}
	if (strcmp(end, "") && strcasecmp(end, "b") && !(unit > 1 && !strcasecmp(end, "ib")))
		die("--%s: \"%s\" is not a size: a number, and K, M, G or T", option, s);
	uint64_t v = value_decimal(option, s, unit, UINT64_C(1) << 62, &end);
	if (!v)
		die("--%s: \"%s\" leaves nothing", option, s);
	return v;
}

uint64_t value_count(const char *option, const char *s, uint64_t unit, uint64_t max)
{
	const char *end;
	uint64_t v = value_decimal(option, s, unit, max, &end);

	if (*end || !v || (unit == 1 && strchr(s, '.')))
		die("--%s: \"%s\" is not a number above 0", option, s);
	return v;
}

/* hostname(7): letters, digits, hyphens and dots; 64 is the kernel's __NEW_UTS_LEN. */
const char *value_hostname(const char *s)
{
	size_t n = strlen(s);

	if (!n || n > 64 || s[0] == '-' || s[0] == '.')
		die("--hostname: \"%s\" is not a host name", s);
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '.')
			die("--hostname: \"%s\" is not a host name", s);
	return s;
}
