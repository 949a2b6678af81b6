/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confine.c - the supervisor's own filter, from the view of an attacker who has taken the supervisor over. Its empty root and its namespaces
 * bound what the filter lets pass (kill, process_vm_*); here it's the filter alone, on a process that has the host's root.
 */
#include "base/base.h"
#include "interposer/filter.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define REFUSED(call, ...)                                                                            \
	do {                                                                                          \
		errno = 0;                                                                            \
		if (syscall(SYS_##call, ##__VA_ARGS__) >= 0 || (errno != EPERM && errno != ENOSYS)) { \
			dprintf(2, "%s: %s\n", #call, strerror(errno));                               \
			bad++;                                                                        \
		}                                                                                     \
	} while (0)

static int attack(void)
{
	int bad = 0, root = open("/", O_PATH | O_DIRECTORY), etc = open("/etc", O_RDONLY | O_DIRECTORY);
	char *const none[] = {NULL};
	char *const a[] = {(char *)(uintptr_t) "/bin/true", NULL};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || filter_install_supervisor())
		return 100;
	REFUSED(execve, "/bin/true", a, none);
	REFUSED(execveat, root, "bin/true", a, none, 0);
	REFUSED(fork);
	REFUSED(vfork);
	REFUSED(clone, SIGCHLD, 0, 0, 0, 0);
	REFUSED(clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
	REFUSED(clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	/* Flags are 64 bits for the kernel, of which it takes the lower half. */
	REFUSED(clone, (uint64_t)CLONE_THREAD << 32 | SIGCHLD, 0, 0, 0, 0);
	REFUSED(clone3, NULL, 0);
	REFUSED(unshare, CLONE_NEWUSER);
	REFUSED(setns, etc, 0);
	REFUSED(socket, AF_INET, SOCK_STREAM, 0);
	REFUSED(socket, AF_UNIX, SOCK_STREAM, 0);
	REFUSED(socketpair, AF_UNIX, SOCK_STREAM, 0, NULL);
	REFUSED(open, "/etc/passwd", O_RDONLY);
	REFUSED(open, "/", O_PATH);
	REFUSED(creat, "/tmp/x", 0600);
	REFUSED(openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
	REFUSED(openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY);
	REFUSED(openat, etc, "passwd", O_RDONLY);
	REFUSED(openat, root, "etc/passwd", O_RDONLY);
	REFUSED(openat, -1, "/etc/passwd", O_RDONLY);
	REFUSED(openat2, AT_FDCWD, "/etc/passwd", NULL, 0);
	REFUSED(mkdirat, AT_FDCWD, "/tmp/supervisor", 0755);
	REFUSED(unlinkat, AT_FDCWD, "/tmp/supervisor", AT_REMOVEDIR);
	REFUSED(linkat, AT_FDCWD, "/etc/passwd", AT_FDCWD, "/tmp/supervisor", 0);
	REFUSED(linkat, etc, "passwd", etc, "passwd2", 0);
	REFUSED(symlinkat, "x", AT_FDCWD, "/tmp/supervisor");
	REFUSED(renameat2, AT_FDCWD, "/tmp/a", AT_FDCWD, "/tmp/b", 0);
	REFUSED(mknodat, AT_FDCWD, "/tmp/supervisor", 0600, 0);
	REFUSED(fchmodat, AT_FDCWD, "/tmp", 0777);
	REFUSED(chmod, "/tmp", 0777);
	REFUSED(chown, "/tmp", 0, 0);
	REFUSED(fchown, etc, 0, 0);
	REFUSED(truncate, "/etc/passwd", 0);
	REFUSED(unlink, "/tmp/supervisor");
	REFUSED(rename, "/tmp/a", "/tmp/b");
	REFUSED(setxattr, "/tmp", "user.x", "", 0, 0);
	REFUSED(chdir, "/");
	REFUSED(fchdir, etc);
	REFUSED(chroot, "/");
	REFUSED(pivot_root, ".", ".");
	REFUSED(mount, "x", "/", "tmpfs", 0, NULL);
	REFUSED(umount2, "/", 0);
	REFUSED(open_tree, AT_FDCWD, "/", 0);
	REFUSED(move_mount, AT_FDCWD, "", AT_FDCWD, "/", 0);
	REFUSED(fsopen, "proc", 0);
	REFUSED(ptrace, PTRACE_ATTACH, getppid(), 0, 0);
	REFUSED(ptrace, PTRACE_TRACEME, 0, 0, 0);
	REFUSED(ptrace, PTRACE_POKETEXT, getppid(), 0, 0);
	REFUSED(ptrace, PTRACE_SETREGS, getppid(), 0, 0);
	REFUSED(bpf, 0, NULL, 0);
	REFUSED(perf_event_open, NULL, 0, -1, -1, 0);
	REFUSED(io_uring_setup, 1, NULL);
	REFUSED(userfaultfd, 0);
	REFUSED(keyctl, 0, 0, 0, 0, 0);
	REFUSED(name_to_handle_at, AT_FDCWD, "/", NULL, NULL, 0);
	REFUSED(open_by_handle_at, root, NULL, 0);
	REFUSED(init_module, NULL, 0, "");
	REFUSED(setuid, 0);
	REFUSED(setresuid, 0, 0, 0);
	REFUSED(capset, NULL, NULL);
	REFUSED(seccomp, 1, 0, NULL);
	REFUSED(prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
	REFUSED(shmget, 0, 4096, 01600);
	REFUSED(reboot, 0, 0, 0, 0);
	/* x32 */
	errno = 0;
	if (syscall(0x40000000 | SYS_getpid) >= 0)
		bad++;
	return bad;
}

Test(supervisor_filter, refuses)
{
#ifdef __SANITIZE_ADDRESS__
	cr_skip_test("a sanitizer's runtime needs other calls");
#endif
	pid_t p = fork();
	int st;

	if (!p)
		syscall(SYS_exit_group, attack());
	waitpid(p, &st, 0);
	cr_assert(WIFEXITED(st));
	cr_assert_eq(WEXITSTATUS(st), 0, "%d calls got through", WEXITSTATUS(st));
}
