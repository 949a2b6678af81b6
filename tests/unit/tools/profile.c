/* SPDX-License-Identifier: Apache-2.0 */
/* profile.c - profiles that are read and learnt, with names in them that anybody chose. */
#include "tools/profile.h"

#include "tools/files.h"
#include "tools/used.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

static const char *in_file(const char *text)
{
	static char path[64];
	int fd = memfd_create("profile", MFD_CLOEXEC);

	cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static const struct vfs_rule *rule(const struct profile *p, const char *path, enum vfs_rule_scope scope)
{
	for (size_t k = 0; k < p->n_rules; k++)
		if (p->rules[k].scope == scope && !strcmp(p->rules[k].path, path))
			return &p->rules[k];
	return NULL;
}

/* What a run used: pairs of VFS_NOTE_ bits in hexadecimal and a path, as the supervisor tells it. */
static struct used used(const char *const *notes)
{
	int fd = used_open();
	struct used u;

	for (; *notes; notes++)
		cr_assert(dprintf(fd, "%s%c%c%c", *notes, 0, 0, 0) > 0);
	cr_assert(dprintf(fd, "!0 0%c%c%c", 0, 0, 0) > 0);
	cr_assert(used_load(&u, fd));
	return u;
}
#define USED(...) used((const char *[]){__VA_ARGS__, NULL})

/* The profile as it's read again. */
static struct profile again(const struct profile *p)
{
	char dir[] = "/tmp/profile.XXXXXX", file[64];
	struct profile out;

	cr_assert(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/p", dir);
	profile_save(p, file);
	profile_load(&out, file);
	unlink(file);
	rmdir(dir);
	return out;
}

Test(profile, a_file_called_star_is_one_file)
{
	struct used u = USED("40 /srv/**", "8 /etc/*", "8 /a/*/b");
	struct profile p = {.has_paths = true}, q;

	learn_rules(&p, &u);
	q = again(&p);
	cr_assert(rule(&q, "/srv/**", VFS_RULE_PATH));
	cr_assert(rule(&q, "/etc/*", VFS_RULE_PATH));
	cr_assert(rule(&q, "/a/*/b", VFS_RULE_PATH));
	cr_assert_null(rule(&q, "/srv", VFS_RULE_BELOW));
	cr_assert_null(rule(&q, "/etc", VFS_RULE_CHILDREN));
	profile_free(&p);
	profile_free(&q);
	used_free(&u);
}

Test(profile, places_that_are_none_are_left_out)
{
	struct used u = USED("8 /etc/../root/x", "8 /a//b", "8 /c/.", "8 /d");

	cr_assert_eq(u.n, 1);
	cr_assert_str_eq(u.notes[0].path, "/d");
	cr_assert_eq(u.lost, 3);
	used_free(&u);
}

Test(profile, nothing_used_is_a_profile, .init = cr_redirect_stderr)
{
	struct used u = used((const char *[]){NULL});

	cr_assert_eq(u.n, 0);
	used_free(&u);
}

/* The directory's own rule for all below it counts before its parent's for what is in it. */
Test(profile, a_rule_of_the_directory_itself_is_the_nearest)
{
	struct used u = USED("2800 /d/sub");
	struct profile p = {.has_paths = true};

	profile_add_rule(&p, "/d", VFS_RULE_CHILDREN, VFS_MAY_SEE | VFS_MAY_READ | VFS_MAY_WRITE);
	profile_add_rule(&p, "/d/sub", VFS_RULE_BELOW, VFS_MAY_SEE | VFS_MAY_READ);
	learn_rules(&p, &u);
	const struct vfs_rule *r = rule(&p, "/d/sub", VFS_RULE_PATH);
	cr_assert(r && (r->may & VFS_MAY_WRITE));
	profile_free(&p);
	used_free(&u);
}

Test(profile, a_path_deeper_than_PATH_MAX_can_be_learnt)
{
	static char note[6000] = "8 ";
	struct profile p = {.has_paths = true}, q;

	while (strlen(note) < 5000)
		strcat(note, "/0123456789abcdefghijklmnopqrstuvwxyz");
	struct used u = USED(note);
	learn_rules(&p, &u);
	q = again(&p);
	cr_assert(rule(&q, note + 2, VFS_RULE_PATH));
	profile_free(&p);
	profile_free(&q);
	used_free(&u);
}

Test(profile, the_same_path_in_two_spellings_is_refused, .exit_code = 125, .init = cr_redirect_stderr)
{
	struct profile p;

	profile_load(&p, in_file("{\"version\": 1, \"paths\": {\"/ab\": \"r\", \"/a\\\\x62\": \"w\"}}"));
}

Test(profile, twenty_thousand_paths_are_read_at_once)
{
	struct profile p;
	struct timespec from, to;
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	fputs("{\"version\": 1, \"paths\": {\"/\": \"s\"", f);
	for (int k = 0; k < 20000; k++)
		fprintf(f, ",\n \"/usr/share/a-directory/of-many/file-%d\": \"r\"", k);
	fputs("}}", f);
	fclose(f);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	profile_load(&p, in_file(text));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	cr_assert_eq(p.n_rules, 20001);
	/* Milliseconds; finding each place from the beginning of the file took seven seconds. */
	cr_assert_lt(to.tv_sec - from.tv_sec, 5);
	profile_free(&p);
	free(text);
}
