/* SPDX-License-Identifier: Apache-2.0 */
/* ids.c - credentials: what root may change and an ordinary user may not, and what follows for files. */
#include "tests/conformance/t.h"

#include <grp.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

static void show_ids(void)
{
	uid_t r, e, s;
	gid_t g, f, h, list[64];

	getresuid(&r, &e, &s);
	getresgid(&g, &f, &h);
	printf("uid %d %d %d gid %d %d %d groups", (int)r, (int)e, (int)s, (int)g, (int)f, (int)h);
	int n = getgroups(64, list);

	for (int i = 0; i < n; i++)
		printf(" %d", (int)list[i]);
	printf("\n");
}

int main(void)
{
	umask(022);
	show_ids();
	printf("getuid %d geteuid %d getgid %d getegid %d\n", (int)getuid(), (int)geteuid(), (int)getgid(), (int)getegid());
	CHILD("setuid 1234", R(setuid(1234)); show_ids(); O(open("secret", O_RDONLY)); O(open("file", O_RDWR));
	      O(open("new", O_CREAT | O_RDWR, 0644)); R(setuid(0)); show_ids());
	CHILD("seteuid and back", R(seteuid(1234)); show_ids(); O(open("secret", O_RDONLY)); R(access("secret", R_OK));
	      R(seteuid(getuid())); show_ids(); O(open("secret", O_RDONLY)));
	CHILD("setresuid", R(setresuid(-1, 1000, -1)); show_ids(); R(setresuid(1, 2, 3)); show_ids());
	CHILD("setreuid", R(setreuid(1000, 1000)); show_ids(); R(setreuid(-1, 0)));
	CHILD("setgid", R(setgid(1000)); show_ids(); R(setegid(0)); R(setresgid(1, 2, 3)); show_ids());
	CHILD("setgroups", R(setgroups(3, (gid_t[]){30, 10, 20})); show_ids(); R(setgroups(0, NULL)); show_ids());
	CHILD("setfsuid", R(setfsuid(1000)); R(setfsuid(-1)); O(open("secret", O_RDONLY)));
	CHILD("setuid -1", R(setuid(-1)); R(setgroups(100000, NULL)); R(getgroups(-1, NULL)); R(getgroups(0, NULL)));
	CHILD(
	    "after fork and exec", if (!setuid(1234) || 1) {
		    fflush(stdout);
		    execlp("id", "id", "-u", NULL);
	    });
	CHILD("keep caps", R(prctl(PR_SET_KEEPCAPS, 1)); R(prctl(PR_GET_KEEPCAPS)); R(setuid(1000));
	      R(prctl(PR_GET_KEEPCAPS)));
	mkdir("sticky", 0777);
	chmod("sticky", 01777);
	chmod(".", 0777);
	chmod("..", 0755);
	t_put("sticky/mine", "x", 0666);
	CHILD(
	    "sticky directory, other user", if (!setuid(1234)) {
		    R(unlink("sticky/mine"));
		    R(rename("sticky/mine", "sticky/yours"));
		    R(link("secret", "l"));
		    R(chmod("sticky/mine", 0600));
		    R(chown("sticky/mine", 1234, -1));
		    t_put("sticky/own", "x", 0644);
		    t_stat("sticky/own");
		    R(unlink("sticky/own"));
		    R(truncate("readonly", 0));
		    R(mkdir("dir/x", 0755));
		    R(utimensat(AT_FDCWD, "file", NULL, 0));
	    });
	mkdir("group", 0750);
	t_put("group/f", "x", 0640);
	if (!chown("group", 0, 500) && !chown("group/f", 0, 500)) {
		CHILD("member of the group", R(setgroups(1, (gid_t[]){500})); R(setgid(600)); R(setuid(600));
		      t_cat("group/f"); O(open("group/f", O_RDWR)); R(mkdir("group/d", 0755)));
		CHILD("not a member", R(setgroups(0, NULL)); R(setgid(600)); R(setuid(600)); t_cat("group/f");
		      R(chdir("group")));
		chmod("group", 02770);
		CHILD("set-gid directory", setgroups(1, (gid_t[]){500}); setgid(600); setuid(600);
		      t_put("group/new", "x", 0644); t_stat("group/new"); mkdir("group/dir", 0755); t_stat("group/dir");
		      R(chmod("group/new", 02755)); t_stat("group/new"));
	}
	return 0;
}
