/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sock.c - AF_UNIX names: bind, connect and what getsockname says, on sockets of the test itself.
 */
#include "fakehost.h"
#include "fakevfs.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

static int new_socket(int type)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, type, 0);

	/* Above what a criterion worker may have given away. */
	return fcntl(fd, F_DUPFD_CLOEXEC, 10);
}

static uint64_t put_address(const char *path, size_t n)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	memcpy(un.sun_path, path, n);
	memcpy(fake.mem, &un, sizeof(un));
	return offsetof(struct sockaddr_un, sun_path) + n;
}

static void expect_name(int nr, int fd, const char *want)
{
	struct sockaddr_un un;
	uint32_t len = sizeof(un);

	memcpy(fake.mem + 512, &len, sizeof(len));
	cr_assert_eq(fake_call(nr, (uint64_t)fd, FAKE_BASE + 1024, FAKE_BASE + 512, 0, 0, 0), 0);
	memcpy(&len, fake.mem + 512, sizeof(len));
	memcpy(&un, fake.mem + 1024, sizeof(un));
	cr_assert_eq(len, offsetof(struct sockaddr_un, sun_path) + (want ? strlen(want) + 1 : 0));
	if (want)
		cr_assert_str_eq(un.sun_path, want);
}

static int64_t call_address(int nr, int fd, const char *path, size_t n)
{
	uint64_t len = put_address(path, n);

	return fake_call(nr, (uint64_t)fd, FAKE_BASE, len, 0, 0, 0);
}

Test(sock, path_names)
{
	int server = new_socket(SOCK_STREAM), client = new_socket(SOCK_STREAM), third = new_socket(SOCK_STREAM);

	fake.rec = record_intern(fake_draft(1000, NULL));
	cr_assert_eq(call_address(SYS_connect, client, "/run/x", 7), -ENOENT);
	cr_assert_eq(call_address(SYS_bind, server, "/run/x", 7), 0);
	cr_assert_eq(call_address(SYS_bind, server, "/run/y", 7), -EINVAL);
	cr_assert_eq(call_address(SYS_bind, third, "/run/x", 7), -EADDRINUSE);
	expect_name(SYS_getsockname, server, "/run/x");
	cr_assert_eq(call_address(SYS_connect, client, "/run/x", 7), -ECONNREFUSED);
	cr_assert_eq(listen(server, 1), 0);
	cr_assert_eq(call_address(SYS_connect, client, "/run/x", 7), 0);
	expect_name(SYS_getpeername, client, "/run/x");
	expect_name(SYS_getsockname, client, NULL);
	close(server);
	cr_assert_eq(call_address(SYS_connect, third, "/run/x", 7), -ECONNREFUSED);
}

Test(sock, full_queue_waits_until_interrupted)
{
	int server = new_socket(SOCK_STREAM);

	fake.rec = record_intern(fake_draft(1000, NULL));
	cr_assert_eq(call_address(SYS_bind, server, "/run/x", 7), 0);
	cr_assert_eq(listen(server, 0), 0);
	cr_assert_eq(call_address(SYS_connect, new_socket(SOCK_STREAM), "/run/x", 7), 0);
	fake.interrupt = true;
	cr_assert_eq(call_address(SYS_connect, new_socket(SOCK_STREAM), "/run/x", 7), -ERESTARTSYS);
	cr_assert_geq(fake.blocked, 1);
}

Test(sock, our_prefix_is_not_theirs)
{
	fake.rec = record_intern(fake_draft(1000, NULL));
	cr_assert_eq(call_address(SYS_bind, new_socket(SOCK_STREAM), "\0sandbox-11", 11), -EACCES);
	cr_assert_eq(call_address(SYS_connect, new_socket(SOCK_STREAM), "\0sandbox-11", 11), -ECONNREFUSED);
}

Test(sock, datagrams)
{
	int server = new_socket(SOCK_DGRAM), client = new_socket(SOCK_DGRAM);
	char got[16];
	uint64_t len;

	fake.rec = record_intern(fake_draft(1000, NULL));
	cr_assert_eq(call_address(SYS_bind, server, "/run/d", 7), 0);
	len = put_address("/run/d", 7);
	memcpy(fake.mem + 4096, "hello", 5);
	cr_assert_eq(fake_call(SYS_sendto, (uint64_t)client, FAKE_BASE + 4096, 5, 0, FAKE_BASE, len), 5);
	cr_assert_eq(recv(server, got, sizeof(got), MSG_DONTWAIT), 5);
	cr_assert_eq(fake_call(SYS_sendto, (uint64_t)client, FAKE_BASE, UINT64_MAX, 0, FAKE_BASE, len), -EMSGSIZE);
}
