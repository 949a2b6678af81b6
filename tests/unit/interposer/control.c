/* SPDX-License-Identifier: Apache-2.0 */
/* control.c - answers to requests, and packets with descriptors, from an end that isn't trusted. */
#include "interposer/control.h"

#include "interposer/fdpass.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

static unsigned count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void pair(int s[2])
{
	cr_assert(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s));
}

Test(control, an_empty_packet_leaves_no_descriptor)
{
	const int fds[2] = {0, 0};
	int s[2], got[FDPASS_MAX];
	char c;
	size_t len = 1;

	pair(s);
	unsigned before = count_fds();
	cr_assert(!fdpass_send(s[0], fds, 2, &c, 0, 0));
	cr_assert_eq(fdpass_recv(s[1], got, &c, &len, 0), -EPIPE);
	cr_assert_eq(count_fds(), before);
}

Test(control, an_answer_is_made_harmless)
{
	struct control_reply r = {.error = 7};
	int s[2], fds[FDPASS_MAX];

	pair(s);
	memset(r.text, '\033', sizeof(r.text));
	cr_assert(send(s[0], &r, sizeof(r), 0) > 0);
	cr_assert_eq(control_answer(s[1], 1000, &r, fds), 0);
	cr_assert_eq(r.error, -EPROTO);
	cr_assert_eq(strspn(r.text, "?"), sizeof(r.text) - 1);
	cr_assert(send(s[0], &r, 8, 0) > 0);
	cr_assert_eq(control_answer(s[1], 1000, &r, fds), -EPROTO);
	cr_assert_eq(control_answer(s[1], 0, &r, fds), -ETIMEDOUT);
	close(s[0]);
	cr_assert_eq(control_answer(s[1], 1000, &r, fds), -EPIPE);
}
