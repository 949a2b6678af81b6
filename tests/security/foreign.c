/* SPDX-License-Identifier: Apache-2.0 */
/* foreign.c - what must be refused altogether: other ABIs, kernel interfaces that go around the filter, namespaces. */
#include "tests/security/t.h"

#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <termios.h>

/* In a child: a refusal may also be a signal. True if it was refused. */
static bool refused(long (*fn)(void))
{
	fflush(stdout);
	pid_t p = fork();
	int st;

	if (!p)
		_exit(fn() < 0 ? 0 : 1);
	waitpid(p, &st, 0);
	return WIFSIGNALED(st) || WEXITSTATUS(st) == 0;
}

static long int80(void)
{
	long r;

	/* i386 getpid, then mkdir: natively the first one works where the kernel has the ABI. */
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20) : "memory");
	return r > 0 ? 1 : -1;
}
static long x32(void)
{
	return syscall(0x40000000L | SYS_getpid) > 0 ? 1 : -1;
}
static long x32_open(void)
{
	return syscall(0x40000000L | SYS_open, "/etc/passwd", 0) >= 0 ? 1 : -1;
}

int main(int argc, char **argv)
{
	char params[512] = {0}, stack[4096];

	CHECK(refused(int80), "i386 calls");
	CHECK(refused(x32), "x32 getpid");
	CHECK(refused(x32_open), "x32 open");
	DENIED(syscall(SYS_io_uring_setup, 4, params));
	DENIED(syscall(SYS_io_uring_setup | 1L << 32, 4, params));
	DENIED(syscall(SYS_bpf, 0, params, 48));
	DENIED(syscall(SYS_userfaultfd, 1));
	DENIED(syscall(SYS_perf_event_open, params, 0, -1, -1, 0));
	DENIED(syscall(SYS_keyctl, 0, -3, 1));
	DENIED(syscall(SYS_add_key, "user", "x", "y", 1, -3));
	DENIED(syscall(SYS_fsopen, "tmpfs", 0));
	DENIED(syscall(SYS_open_tree, AT_FDCWD, "/", 1));
	DENIED(syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, params, 32));
	DENIED(mount("x", "/tmp", "tmpfs", 0, NULL));
	DENIED(umount2("/", MNT_DETACH));
	DENIED(syscall(SYS_pivot_root, ".", "."));
	DENIED(syscall(SYS_init_module, params, 10, ""));
	DENIED(syscall(SYS_kexec_load, 0, 0, 0, 0));
	DENIED(syscall(SYS_setns, 0, 0));
	DENIED(unshare(CLONE_NEWUSER));
	DENIED(unshare(CLONE_NEWNS));
	DENIED(unshare(CLONE_NEWPID));
	DENIED(syscall(SYS_unshare, 0x500000000UL | CLONE_NEWUSER));
	DENIED(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
	DENIED(syscall(SYS_clone, CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0));
	DENIED(syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0));
	DENIED(syscall(SYS_clone, CLONE_FS | SIGCHLD, stack + 2048, 0, 0, 0));
	uint64_t c3[11] = {CLONE_NEWUSER, [4] = SIGCHLD};

	DENIED(syscall(SYS_clone3, c3, sizeof(c3)));
	DENIED(syscall(SYS_name_to_handle_at, AT_FDCWD, "/", params, params + 256, 0));
	*(int *)params = 8;
	DENIED(syscall(SYS_open_by_handle_at, AT_FDCWD, params, O_RDONLY));
	DENIED(syscall(SYS_fanotify_init, 0, 0));
	DENIED(syscall(SYS_quotactl, 0x80000100, 0, 0, 0));
	DENIED(syscall(SYS_acct, "/tmp/acct"));
	DENIED(syscall(SYS_swapon, "/tmp/x", 0));
	DENIED(syscall(SYS_reboot, 0xfee1dead, 672274793, 0, 0));
	DENIED(syscall(SYS_iopl, 3));
	DENIED(syscall(SYS_uselib, "/lib/x"));
	DENIED(syscall(SYS_vhangup));
	DENIED(syscall(SYS_modify_ldt, 1, params, 16));
	DENIED(syscall(462, 0, 0, 0) ? -1 : 0);
	DENIED(syscall(9999));
	DENIED(syscall(-1));
	DENIED(socket(AF_PACKET, SOCK_RAW, 0));
	DENIED(socket(38 /* AF_ALG */, SOCK_SEQPACKET, 0));
	DENIED(socket(AF_VSOCK, SOCK_STREAM, 0));
	DENIED(syscall(SYS_socket, 0x500000000UL | AF_PACKET, SOCK_RAW, 0));
	/* Terminals: no typing into the user's. */
	char c = 'x';

	for (int fd = 0; fd < 3; fd++) {
		DENIED(ioctl(fd, TIOCSTI, &c));
		DENIED(syscall(SYS_ioctl, fd, 0x500000000UL | TIOCSTI, &c));
		DENIED(ioctl(fd, TIOCLINUX, &c));
		DENIED(syscall(SYS_ioctl, fd | 1L << 32, TIOCSTI, &c));
	}
	/* The processes around us. */
	struct iovec l = {params, 8}, r = {(void *)0x400000, 8};

	for (pid_t p = 1; p <= 2; p++) {
		if (p == getpid() || p == getppid())
			continue;
		DENIED(ptrace(PTRACE_ATTACH, p, 0, 0));
		DENIED(ptrace(PTRACE_SEIZE, p, 0, 0));
		DENIED(process_vm_readv(p, &l, 1, &r, 1, 0));
		DENIED(process_vm_writev(p, &l, 1, &r, 1, 0));
		int pfd = (int)syscall(SYS_pidfd_open, p, 0);

		for (int fd = 0; pfd >= 0 && fd < 64; fd++) {
			int got = (int)syscall(SYS_pidfd_getfd, pfd, fd, 0);
			struct stat st;

			if (got >= 0 && !fstat(got, &st) && fd > 2)
				CHECK(!S_ISDIR(st.st_mode), "descriptor %d of pid %d is no directory", fd, (int)p);
			if (got >= 0)
				close(got);
		}
		if (pfd >= 0)
			close(pfd);
	}
	return t_done();
}
