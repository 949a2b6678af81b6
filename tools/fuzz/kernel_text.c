/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_text.c - sequences as text, one call a line:
 *
 *     fs overlay
 *     0 openat -100 "d0/f0" 0104002 0644
 *
 * The task, the call's name, its arguments: a number (decimal, 0 octal, 0x hexadecimal); "bytes" with a NUL behind them; {hex bytes};
 * end"bytes" without and end{...}: so that the mapping ends behind them; out, null, bad (not mapped), ro (zeros that can't be written).
 * Lines that start with # are remarks.
 */
#include "tools/fuzz/kernel_fuzz.h"

#include <ctype.h>
#include <string.h>

static bool is_text(const struct kf_arg *a)
{
	size_t n = a->len;

	if (a->place == KF_AT) {
		if (!n || a->data[n - 1])
			return false;
		n--;
	}
	for (size_t i = 0; i < n; i++)
		if (!isprint((unsigned char)a->data[i]) || a->data[i] == '"')
			return false;
	return true;
}

static void print_data(const struct kf_arg *a, FILE *f)
{
	if (is_text(a)) {
		fprintf(f, "\"%.*s\"", (int)(a->place == KF_AT ? a->len - 1 : a->len), a->data);
		return;
	}
	fputc('{', f);
	for (uint32_t i = 0; i < a->len; i++)
		fprintf(f, "%02x", (unsigned char)a->data[i]);
	fputc('}', f);
}

static void print_number(uint64_t v, enum arg_kind kind, FILE *f)
{
	switch (kind) {
	case ARG_MODE:
	case ARG_OFLAGS:
		fprintf(f, "%#lo", v);
		break;
	case ARG_HEX:
	case ARG_ATFLAGS:
		fprintf(f, "%#lx", v);
		break;
	default:
		fprintf(f, "%ld", (long)v);
	}
}

void kf_print_op(const struct kf_op *o, FILE *f)
{
	static const char *const words[] = {
	    [KF_AT] = "out", [KF_ATEND] = "end", [KF_NULLP] = "null", [KF_BADP] = "bad", [KF_ROP] = "ro"};

	fprintf(f, "%u %s", o->task, o->call->name);
	for (int i = 0; i < o->call->nargs; i++) {
		const struct kf_arg *a = &o->a[i];

		fputc(' ', f);
		if (a->place == KF_NUM) {
			print_number(a->v, o->call->args[i], f);
			continue;
		}
		if (a->place != KF_AT || !a->len)
			fputs(words[a->place], f);
		if ((a->place == KF_AT && a->len) || a->place == KF_ATEND)
			print_data(a, f);
	}
	fputc('\n', f);
}

void kf_print(const struct kf_seq *s, FILE *f)
{
	fprintf(f, "fs %s\n", kf_fs_names[s->fs]);
	for (unsigned i = 0; i < s->n; i++)
		kf_print_op(&s->op[i], f);
}

static bool skip(const char **p, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*p, word, n) || (*word != '"' && *word != '{' && !strchr(" \"{\n", (*p)[n])))
		return false;
	*p += n;
	return true;
}

static bool parse_data(struct kf_seq *s, struct kf_arg *a, const char **p)
{
	char buf[KF_SLOT];
	size_t n = 0;
	unsigned v;

	if (skip(p, "\"")) {
		while (**p && **p != '"' && n < sizeof(buf) - 1)
			buf[n++] = *(*p)++;
		if (*(*p)++ != '"')
			return false;
		if (a->place == KF_AT)
			buf[n++] = 0;
	} else if (skip(p, "{")) {
		for (; n < sizeof(buf) && sscanf(*p, "%2x", &v) == 1 && isxdigit((unsigned char)**p); *p += 2)
			buf[n++] = (char)v;
		if (*(*p)++ != '}')
			return false;
	} else {
		return false;
	}
	a->data = kf_pool(s, buf, n);
	a->len = (uint32_t)n;
	return a->data;
}

static bool parse_arg(struct kf_seq *s, struct kf_arg *a, const char **p)
{
	char *end;

	*p += strspn(*p, " ");
	*a = (struct kf_arg){.place = KF_AT};
	if (skip(p, "null"))
		a->place = KF_NULLP;
	else if (skip(p, "bad"))
		a->place = KF_BADP;
	else if (skip(p, "ro"))
		a->place = KF_ROP;
	else if (skip(p, "out"))
		;
	else if (**p == '"' || **p == '{')
		return parse_data(s, a, p);
	else if (skip(p, "end")) {
		a->place = KF_ATEND;
		return parse_data(s, a, p);
	} else {
		a->place = KF_NUM;
		a->v = **p == '-' ? (uint64_t)strtoll(*p, &end, 0) : strtoull(*p, &end, 0);
		if (end == *p)
			return false;
		*p = end;
	}
	return true;
}

static bool parse_op(struct kf_seq *s, const char *p)
{
	struct kf_op *o = &s->op[s->n];
	char name[32];
	unsigned task;
	int used = 0;

	*o = (struct kf_op){0};
	if (s->n == KF_OPS || sscanf(p, "%u %31s%n", &task, name, &used) != 2 || task >= KF_TASKS)
		return false;
	o->task = (uint8_t)task;
	o->call = kf_call_by_name(name, &o->nr);
	if (!o->call)
		return false;
	p += used;
	for (int i = 0; i < o->call->nargs; i++)
		if (!parse_arg(s, &o->a[i], &p))
			return false;
	if (p[strspn(p, " \n")] || !kf_op_finish(s, o))
		return false;
	s->n++;
	return true;
}

void kf_decode_any(struct kf_seq *s, const uint8_t *data, size_t size)
{
	FILE *f = size > 3 && (!memcmp(data, "fs ", 3) || !memcmp(data, "# ", 2))
		      ? fmemopen((void *)(uintptr_t)data, size, "r")
		      : NULL;
	int bad = f ? kf_parse(s, f) : 1;

	if (f)
		fclose(f);
	if (bad)
		kf_decode(s, data, size);
}

int kf_parse(struct kf_seq *s, FILE *f)
{
	AUTO_FREE char *line = NULL;
	size_t cap = 0;
	int k = 0;

	s->n = 0;
	s->tasks = 2;
	s->pool_used = s->outs_used = 0;
	while (getline(&line, &cap, f) > 0) {
		unsigned fs = 0;
		char name[16];

		k++;
		if (*line == '#' || *line == '\n')
			continue;
		if (sscanf(line, "fs %15s", name) == 1) {
			while (fs < KF_FS && strcmp(kf_fs_names[fs], name))
				fs++;
			if (fs == KF_FS)
				return k;
			s->fs = fs;
		} else if (!parse_op(s, line)) {
			return k;
		}
	}
	return 0;
}
