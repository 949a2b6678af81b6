/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of /proc: generated files are compared with the native ones line by line, links and reopening with what the
 * design allows.
 */
#include "proc_fakes.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

static struct super *sb;
static bool inspect_ok = true;
static const gid_t groups[] = {7, 9};
static struct vfs_cred cred = {.uid = 1000, .gid = 1000};
static bool with_prefix, runs_program = true;
static struct dentry program;
static unsigned stub_maj, stub_min;
static uint64_t stub_ino;

static int task_info(pid_t pid, struct vfs_task_info *out)
{
	*out = (struct vfs_task_info){.uid = 1,
				      .euid = 2,
				      .suid = 3,
				      .fsuid = 4,
				      .gid = 5,
				      .egid = 6,
				      .sgid = 7,
				      .fsgid = 8,
				      .ngroups = 2,
				      .groups = groups,
				      .cap_eff = 0x2a,
				      .umask = 027};
	if (runs_program)
		out->exe.dentry = &program;
	if (with_prefix) {
		out->cmdline_prefix = "/bin/interp\0-x\0./script";
		out->cmdline_prefix_len = sizeof("/bin/interp\0-x\0./script");
	}
	return 0;
}
static void task_info_release(struct vfs_task_info *info)
{
}
static int task_fd(pid_t pid, int fd)
{
	/* The test's children have its descriptors. */
	int r = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return r < 0 ? -errno : r;
}
static bool may_inspect(struct vfs_ctx *ctx, pid_t pid)
{
	return inspect_ok;
}
static bool is_stub(unsigned maj, unsigned min, uint64_t ino)
{
	return stub_ino == ino && maj == stub_maj && min == stub_min;
}
static int task_rlimit(pid_t pid, int resource, uint64_t *soft, uint64_t *hard)
{
	*soft = resource == RLIMIT_LOCKS ? 12 : 34;
	*hard = UINT64_MAX;
	return 0;
}
static ssize_t read_mem(pid_t pid, uint64_t addr, void *buf, size_t len)
{
	struct iovec l = {buf, len}, r = {(void *)(uintptr_t)addr, len};
	ssize_t n = process_vm_readv(pid, &l, 1, &r, 1, 0);
	return n < 0 ? -errno : n;
}
static const struct vfs_proc_ops ops = {.task_info = task_info,
					.task_info_release = task_info_release,
					.task_fd = task_fd,
					.may_inspect = may_inspect,
					.is_stub = is_stub,
					.task_rlimit = task_rlimit,
					.read_mem = read_mem};

static int get_fd(struct vfs_ctx *ctx, int fd)
{
	int r = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return r < 0 ? -EBADF : r;
}
static struct vfs_ctx ctx = {.cred = &cred, .get_fd = get_fd};

static void setup(void)
{
	int proc = open("/proc", O_RDONLY | O_DIRECTORY);

	fake_cfg = (struct vfs_config){
	    .procfd = proc,
	    .guest_procfd = proc,
	    .devptsfd = open("/dev/pts", O_RDONLY | O_DIRECTORY),
	    .dev_null = open("/dev/null", O_PATH),
	    .dev_zero = -1,
	    .dev_full = -1,
	    .dev_random = -1,
	    .dev_urandom = open("/dev/urandom", O_PATH),
	};
	vfs_set_proc_ops(&ops);
	cr_assert_eq(procfs_new(&sb), 0);
	ctx.tgid = getpid();
	ctx.tid = gettid();
	inspect_ok = true;
}
TestSuite(proc, .init = setup);

static char *own(const char *fmt, int n)
{
	static char path[128];
	int len = snprintf(path, sizeof(path), "%d/", getpid());

	snprintf(path + len, sizeof(path) - (size_t)len, "%s", fmt);
	if (n >= 0)
		snprintf(path + strlen(path), sizeof(path) - strlen(path), "%d", n);
	return path;
}

static char *native(const char *name)
{
	static char buf[1 << 20];
	char path[128];

	snprintf(path, sizeof(path), "/proc/self/%s", name);
	int fd = open(path, O_RDONLY);
	cr_assert_geq(fd, 0);
	size_t len = 0;
	for (ssize_t n; (n = read(fd, buf + len, sizeof(buf) - 1 - len)) > 0;)
		len += (size_t)n;
	buf[len] = '\0';
	close(fd);
	return buf;
}

Test(proc, status_line_by_line)
{
	char *got = strdup(fake_read(sb, &ctx, own("status", -1))), *want = native("status"), *gs, *ws;
	char *g = strtok_r(got, "\n", &gs), *w = strtok_r(want, "\n", &ws);
	int replaced = 0;

	for (; g && w; g = strtok_r(NULL, "\n", &gs), w = strtok_r(NULL, "\n", &ws)) {
		size_t key = strcspn(w, ":");
		cr_assert_eq(strncmp(g, w, key + 1), 0, "'%s' instead of '%s'", g, w);
		if (strcmp(g, w) != 0)
			replaced++;
	}
	cr_assert_null(g);
	cr_assert_null(w);
	cr_assert_geq(replaced, 4);
	got = fake_read(sb, &ctx, own("status", -1));
	cr_assert(strstr(got, "\nUid:\t1\t2\t3\t4\n"));
	cr_assert(strstr(got, "\nGid:\t5\t6\t7\t8\n"));
	cr_assert(strstr(got, "\nGroups:\t7 9 \n"));
	cr_assert(strstr(got, "\nCapEff:\t000000000000002a\n"));
	cr_assert(strstr(got, "\nUmask:\t0027\n"));
	cr_assert(strstr(got, "\nSeccomp:\t0\n"));
}

Test(proc, limits_replaced)
{
	char *got = strdup(fake_read(sb, &ctx, own("limits", -1))), *want = native("limits"), *gs, *ws;
	char *g = strtok_r(got, "\n", &gs), *w = strtok_r(want, "\n", &ws);

	for (; g && w; g = strtok_r(NULL, "\n", &gs), w = strtok_r(NULL, "\n", &ws)) {
		if (strncmp(w, "Max file locks", 14) == 0)
			cr_assert_str_eq(g,
					 "Max file locks            12                   unlimited            locks     ");
		else if (strncmp(w, "Max core", 8) == 0)
			cr_assert_str_eq(g,
					 "Max core file size        34                   unlimited            bytes     ");
		else
			cr_assert_str_eq(g, w);
	}
	cr_assert(!g && !w);
}

Test(proc, cmdline_with_interpreter)
{
	int fd = fake_open(sb, &ctx, own("cmdline", -1), O_RDONLY);
	char plain[4096], script[4096];
	ssize_t n = read(fd, plain, sizeof(plain));

	cr_assert_gt(n, 0);
	cr_assert_eq(memcmp(plain, native("cmdline"), (size_t)n), 0);
	close(fd);
	with_prefix = true;
	fd = fake_open(sb, &ctx, own("cmdline", -1), O_RDONLY);
	ssize_t m = read(fd, script, sizeof(script));
	size_t skip = strlen(plain) + 1, pre = sizeof("/bin/interp\0-x\0./script");
	cr_assert_eq((size_t)m, (size_t)n - skip + pre);
	cr_assert_eq(memcmp(script + pre, plain + skip, (size_t)n - skip), 0);
	close(fd);
}

Test(proc, maps_hide_host_paths)
{
	/* One known object, one stub, everything else of the host without a name. */
	struct stat st;
	char tmpl[] = "/tmp/proc_map_XXXXXX", stub[] = "/tmp/proc_stub_XXXXXX";
	int fd = mkstemp(tmpl), sfd = mkstemp(stub);

	cr_assert_eq(ftruncate(fd, 8192), 0);
	cr_assert_eq(ftruncate(sfd, 4096), 0);
	void *a = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0), *b = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, sfd, 0);
	int mfd = memfd_create("keepme", 0);
	cr_assert_eq(ftruncate(mfd, 4096), 0);
	void *c = mmap(NULL, 4096, PROT_READ, MAP_SHARED, mfd, 0);
	cr_assert(a != MAP_FAILED && b != MAP_FAILED && c != MAP_FAILED);
	fstat(fd, &st);
	fake_obj.dev = st.st_dev;
	fake_obj.ino = st.st_ino;
	fake_obj.inode.ino = 4242;
	fake_obj.inode.mode = S_IFREG | 0644;
	fake_obj.inode.dev = makedev(0, 33);
	atomic_store(&fake_obj.inode.refs, 1);
	fstat(sfd, &st);
	stub_maj = major(st.st_dev);
	stub_min = minor(st.st_dev);
	stub_ino = st.st_ino;
	for (int smaps = 0; smaps < 2; smaps++) {
		char *got = fake_read(sb, &ctx, own(smaps ? "smaps" : "maps", -1)), line[200];
		cr_assert_not_null(got);
		/* maps' name column is 73 in both. */
		snprintf(line, sizeof(line), "%lx-%lx r--s 00000000 00:21 4242 ", (unsigned long)a, (unsigned long)a + 8192);
		char *at = strstr(got, line);
		cr_assert_not_null(at);
		cr_assert_eq(strncmp(at + 73, "/virtual\\012name\n", 17), 0);
		snprintf(line, sizeof(line), "%lx-", (unsigned long)b);
		cr_assert_null(strstr(got, line));
		cr_assert_null(strstr(got, "/tmp/"));
		cr_assert_null(strstr(got, "libc"));
		cr_assert(strstr(got, "/memfd:keepme (deleted)\n"));
		cr_assert(strstr(got, "[stack]\n"));
		cr_assert(strstr(got, "[vdso]\n"));
		cr_assert_eq(strstr(got, "VmFlags:") != NULL, smaps);
	}
	unlink(tmpl);
	unlink(stub);
}

Test(proc, auxv_of_own_stack)
{
	Elf64_auxv_t av[64];
	int fd = fake_open(sb, &ctx, own("auxv", -1), O_RDONLY);
	ssize_t n = read(fd, av, sizeof(av));

	cr_assert_gt(n, 0);
	for (size_t i = 0; i < (size_t)n / sizeof(*av) && av[i].a_type; i++) {
		if (av[i].a_type == AT_PHDR || av[i].a_type == AT_ENTRY || av[i].a_type == AT_PAGESZ)
			cr_assert_eq(av[i].a_un.a_val, getauxval(av[i].a_type));
	}
	close(fd);
}

/* Another user's supervisor, as when root started it: the owner's files are read from memory. */
Test(proc, environ_and_auxv_of_another_user)
{
	Elf64_auxv_t av[64];
	char *want = native("environ");
	size_t len = 0;
	int ready[2], over[2];
	char c;

	while (want[len])
		len += strlen(want + len) + 1;
	cr_assert_eq(pipe(ready), 0);
	cr_assert_eq(pipe(over), 0);
	pid_t child = fork();
	if (child == 0) {
		close(over[1]);
		/* Bound to nobody's uid but traceable: not dumpable would be root's. */
		c = 'x';
		if (setresuid(12345, 12345, 12345) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0 && write(ready[1], &c, 1) == 1)
			(void)!read(over[0], &c, 1);
		_exit(0);
	}
	cr_assert_eq(read(ready[0], &c, 1), 1);
	/* Tracing needs CAP_SYS_PTRACE here, where the supervisor has it by owning the namespace; DAC must not help. */
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2] = {{.effective = 1U << CAP_SYS_PTRACE, .permitted = 1U << CAP_SYS_PTRACE}};
	if (getuid() == 0 && syscall(SYS_capset, &h, d) == 0) {
		char path[64], *got;
		snprintf(path, sizeof(path), "%d/environ", child);
		got = fake_read(sb, &ctx, path);
		cr_assert_not_null(got);
		cr_assert_eq(memcmp(got, want, len), 0);
		snprintf(path, sizeof(path), "%d/auxv", child);
		int fd = fake_open(sb, &ctx, path, O_RDONLY);
		cr_assert_geq(fd, 0);
		ssize_t n = read(fd, av, sizeof(av));
		cr_assert_eq(av[n / (ssize_t)sizeof(*av) - 1].a_type, AT_NULL);
		for (size_t i = 0; i < (size_t)n / sizeof(*av) && av[i].a_type; i++)
			/* The C library changes its own copy of others. */
			if (av[i].a_type == AT_PHDR || av[i].a_type == AT_ENTRY || av[i].a_type == AT_RANDOM)
				cr_assert_eq(av[i].a_un.a_val, getauxval(av[i].a_type), "type %lu", av[i].a_type);
		snprintf(path, sizeof(path), "%d/fd/%d", child, ready[0]);
		char text[64];
		cr_assert_gt(fake_readlink(sb, &ctx, path, text, sizeof(text)), 0);
		cr_assert_eq(strncmp(text, "pipe:[", 6), 0);
		close(fd);
	}
	close(ready[0]);
	/* We may not kill it any more. Alive, it would keep the runner waiting for the end of the test's output. */
	close(over[1]);
	cr_assert_eq(waitpid(child, NULL, 0), child);
}

Test(proc, root_and_missing_names)
{
	struct dirlist *l = calloc(1, sizeof(*l));
	char text[64], want[64];
	int err;

	cr_assert_eq(sb->root->inode->ops->readdir(&ctx, sb->root, l), 0);
	snprintf(want, sizeof(want), "%d", getpid());
	cr_assert(dirlist_has(l, want));
	cr_assert(dirlist_has(l, "self"));
	cr_assert(dirlist_has(l, "meminfo"));
	static const char *const absent[] = {"kallsyms", "kcore", "config.gz", "sysrq-trigger", "interrupts", "kmsg",
					     "0",        "01",    "-1",        "4294967297",    "self2",      "bus"};
	for (size_t i = 0; i < ARRAY_SIZE(absent); i++) {
		cr_assert_null(fake_walk(sb, absent[i], &err), "%s", absent[i]);
		cr_assert_eq(err, -ENOENT);
	}
	static const char *const absent_pid[] = {"map_files", "pagemap", "attr",         "stack",
						 "fd/99999",  "fd/x",    "task/1/status"};
	for (size_t i = 0; i < ARRAY_SIZE(absent_pid); i++)
		cr_assert_null(fake_walk(sb, own(absent_pid[i], -1), &err), "%s", absent_pid[i]);
	cr_assert_gt(fake_readlink(sb, &ctx, "self", text, sizeof(text)), 0);
	cr_assert_str_eq(text, want);
	cr_assert_gt(fake_readlink(sb, &ctx, "thread-self", text, sizeof(text)), 0);
	snprintf(want, sizeof(want), "%d/task/%d", getpid(), gettid());
	cr_assert_str_eq(text, want);
	snprintf(want, sizeof(want), "task/%d/status", gettid());
	cr_assert_not_null(fake_read(sb, &ctx, own(want, -1)));
}

/* Opens every file of the tree: nothing crashes, no directory and no writable descriptor comes out. */
static int visited;
static void visit(struct inode *dir, int depth)
{
	struct dirlist *l = calloc(1, sizeof(*l));
	struct dentry *d = d_make_root(sb, dir);
	char *save = NULL;

	dir->ops->readdir(&ctx, d, l);
	l->names[l->len] = '\0';
	for (char *w = strtok_r(l->names, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		struct lookup_result res[1];
		if (depth == 0 && w[0] >= '0' && w[0] <= '9' && atoi(w) != getpid())
			continue;
		if (dir->ops->lookup(d, w, strlen(w), "", res, 1) < 0 || !res[0].inode)
			continue;
		struct inode *i = res[0].inode;
		int fd = -1;
		visited++;
		if (S_ISDIR(i->mode) && depth < 6)
			visit(i, depth + 1);
		else if (S_ISREG(i->mode) && i->ops->open(&ctx, NULL, i, O_RDONLY, &fd) == 0) {
			struct stat st;
			char buf[256];
			cr_assert_eq(fstat(fd, &st), 0);
			cr_assert(S_ISREG(st.st_mode), "%s", w);
			cr_assert_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY, "%s", w);
			cr_assert(read(fd, buf, sizeof(buf)) >= 0 || errno, "%s", w);
			cr_assert_eq(write(fd, "x", 1), -1);
			close(fd);
		}
		iput(i);
	}
	free(d);
	free(l);
}
Test(proc, whole_tree)
{
	int before = fake_inodes;

	visit(sb->root->inode, 0);
	cr_assert_gt(visited, 250);
	cr_assert_eq(fake_inodes, before, "inodes leak");
}

Test(proc, writing)
{
	cr_assert_eq(fake_open(sb, &ctx, "meminfo", O_RDWR), -EACCES);
	cr_assert_eq(fake_open(sb, &ctx, "sys/kernel/hostname", O_WRONLY), -EACCES);
	cr_assert_eq(fake_open(sb, &ctx, own("uid_map", -1), O_WRONLY), -EPERM);
	cr_assert_eq(fake_open(sb, &ctx, own("status", -1), O_RDWR), -EACCES);
	int fd = fake_open(sb, &ctx, own("comm", -1), O_RDWR);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, "renamed", 7), 7);
	cr_assert_str_eq(native("comm"), "renamed\n");
	close(fd);
}

Test(proc, other_processes)
{
	pid_t child = fork();
	char path[64];

	if (child == 0) {
		pause();
		_exit(0);
	}
	inspect_ok = false;
	static const char *const guarded[] = {"environ", "maps", "smaps", "auxv", "io", "fd/1", "fdinfo/1", "cwd"};
	for (size_t i = 0; i < ARRAY_SIZE(guarded); i++) {
		snprintf(path, sizeof(path), "%d/%s", child, guarded[i]);
		int r = fake_open(sb, &ctx, path, O_RDONLY);
		cr_assert(r == -EACCES || (i == 7 && r == -ENXIO), "%s: %d", path, r);
	}
	snprintf(path, sizeof(path), "%d/comm", child);
	cr_assert_eq(fake_open(sb, &ctx, path, O_WRONLY), -EACCES);
	snprintf(path, sizeof(path), "%d/status", child);
	cr_assert_not_null(fake_read(sb, &ctx, path));
	inspect_ok = true;
	snprintf(path, sizeof(path), "%d/environ", child);
	cr_assert_geq(fake_open(sb, &ctx, path, O_RDONLY), 0);
	/* Init and what joins are copies of the sandbox's own processes. */
	runs_program = false;
	for (size_t i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "%d/%s", child, guarded[i]);
		cr_assert_eq(fake_open(sb, &ctx, path, O_RDONLY), -EACCES, "%s", path);
	}
	snprintf(path, sizeof(path), "%d/cmdline", child);
	cr_assert_str_eq(fake_read(sb, &ctx, path), "sandbox");
	runs_program = true;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static char *link_of(int fd)
{
	static char text[256];
	int r = fake_readlink(sb, &ctx, own("fd/", fd), text, sizeof(text));

	cr_assert_gt(r, 0, "%d", r);
	return text;
}

Test(proc, descriptor_names)
{
	int p[2], s[2], null = open("/dev/null", O_RDONLY), mfd = memfd_create("m", 0), host = open("/etc/passwd", O_RDONLY);
	char want[64], text[64];
	struct stat st;

	cr_assert_eq(pipe(p), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	fstat(p[0], &st);
	snprintf(want, sizeof(want), "pipe:[%lu]", st.st_ino);
	cr_assert_str_eq(link_of(p[0]), want);
	cr_assert_eq(strncmp(link_of(s[0]), "socket:[", 8), 0);
	cr_assert_str_eq(link_of(null), "/dev/null");
	cr_assert_str_eq(link_of(mfd), "/memfd:m (deleted)");
	fstat(host, &st);
	snprintf(want, sizeof(want), "host:[%lu]", st.st_ino);
	cr_assert_str_eq(link_of(host), want);
	int mem = fake_open(sb, &ctx, "meminfo", O_RDONLY);
	cr_assert_str_eq(link_of(mem), "/proc/meminfo");
	cr_assert_gt(fake_readlink(sb, &ctx, own("ns/mnt", -1), text, sizeof(text)), 0);
	cr_assert_eq(strncmp(text, "mnt:[", 5), 0);
	int err, path = open("/etc", O_PATH);
	struct inode *i = fake_walk(sb, own("fd/", host), &err);
	cr_assert_eq(i->mode, S_IFLNK | 0500);
	iput(i);
	i = fake_walk(sb, own("fd/", s[0]), &err);
	cr_assert_eq(i->mode, S_IFLNK | 0700);
	iput(i);
	i = fake_walk(sb, own("fd/", path), &err);
	cr_assert_eq(i->mode, S_IFLNK);
	iput(i);
	struct dirlist *l = calloc(1, sizeof(*l));
	i = fake_walk(sb, own("fd", -1), &err);
	struct dentry *d = d_make_root(sb, i);
	cr_assert_eq(i->ops->readdir(&ctx, d, l), 0);
	snprintf(want, sizeof(want), "%d", path);
	cr_assert(dirlist_has(l, want));
	int ptmx = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY);
	unsigned n;
	if (ptmx >= 0 && ioctl(ptmx, TIOCGPTN, &n) == 0 && ioctl(ptmx, TIOCSPTLCK, &(int){0}) == 0) {
		char name[32];
		snprintf(name, sizeof(name), "/dev/pts/%u", n);
		int slave = open(name, O_RDWR | O_NOCTTY);
		cr_assert_geq(slave, 0);
		cr_assert_str_eq(link_of(slave), name);
	}
}

Test(proc, reopening)
{
	int p[2], s[2], dir = open("/etc", O_RDONLY | O_DIRECTORY), ro = open("/etc/passwd", O_RDONLY);
	char tmpl[] = "/tmp/proc_fd_XXXXXX";
	int rw = mkstemp(tmpl), app = open(tmpl, O_WRONLY | O_APPEND);

	cr_assert_eq(pipe(p), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	int fd = fake_open(sb, &ctx, own("fd/", p[1]), O_WRONLY);
	cr_assert_geq(fd, 0);
	cr_assert_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	cr_assert_eq(write(fd, "x", 1), 1);
	cr_assert_geq(fake_open(sb, &ctx, own("fd/", p[1]), O_RDONLY), 0, "a pipe's other end");
	cr_assert_eq(fake_open(sb, &ctx, own("fd/", s[0]), O_RDWR), -ENXIO);
	cr_assert_eq(fake_open(sb, &ctx, own("fd/", dir), O_RDONLY), -EACCES);
	cr_assert_eq(fake_open(sb, &ctx, own("fd/", ro), O_RDWR), -EACCES);
	cr_assert_eq(fake_open(sb, &ctx, own("fd/", ro), O_RDONLY | O_TRUNC), -EACCES);
	cr_assert_geq(fake_open(sb, &ctx, own("fd/", ro), O_RDONLY), 0);
	cr_assert_geq(fake_open(sb, &ctx, own("fd/", rw), O_RDWR), 0);
	fd = fake_open(sb, &ctx, own("fd/", app), O_WRONLY);
	cr_assert_geq(fd, 0);
	cr_assert(fcntl(fd, F_GETFL) & O_APPEND);
	cr_assert_eq(fake_open(sb, &ctx, own("fd/", app), O_RDONLY), -EACCES);
	fd = fake_open(sb, &ctx, own("fdinfo/", ro), O_RDONLY);
	char buf[256] = "";
	cr_assert_gt(read(fd, buf, sizeof(buf) - 1), 0);
	cr_assert(strstr(buf, "pos:\t0\n"));
	cr_assert(strstr(buf, "mnt_id:\t4711\n"));
	unlink(tmpl);
}

Test(proc, mounts_escape)
{
	cr_assert_str_eq(fake_read(sb, &ctx, own("mounts", -1)),
			 "overlay / overlay rw,relatime 0 0\n"
			 "proc /a\\040b\\134c\\043d proc rw,nosuid,nodev,noexec,relatime 0 0\n");
	char *got = fake_read(sb, &ctx, own("mountinfo", -1));
	cr_assert(strstr(got, "2 1 0:0 / /a\\040b\\134c\\043d rw,nosuid,nodev,noexec,relatime - proc proc rw\n"));
}

Test(proc, terminals_and_devices)
{
	struct super *pts;
	struct stat st;
	struct kstat ks = {.mnt_id = 3};
	unsigned n;
	char name[16];
	int err, fd = -1;

	cr_assert_eq(devpts_new(&pts), 0);
	int m = fake_open(pts, &ctx, "ptmx", O_RDWR);
	cr_assert_geq(m, 0);
	cr_assert_eq(ioctl(m, TIOCGPTN, &n), 0);
	snprintf(name, sizeof(name), "%u", n);
	struct inode *i = fake_walk(pts, name, &err);
	cr_assert_not_null(i);
	cr_assert_eq(i->uid, 1000);
	cr_assert_eq(i->mode, S_IFCHR | 0620);
	struct setattr sa = {.valid = SA_MODE | SA_UID, .mode = 0600, .uid = 33};
	cr_assert_eq(i->ops->setattr(&ctx, NULL, i, &sa), 0);
	iput(i);
	cr_assert_eq(ioctl(m, TIOCSPTLCK, &(int){0}), 0);
	int s = fake_open(pts, &ctx, name, O_RDWR);
	cr_assert_geq(s, 0);
	i = fake_walk(pts, name, &err);
	cr_assert_eq(i->ops->getattr(&ctx, i, &ks), 0);
	fstat(s, &st);
	cr_assert_eq(ks.ino, st.st_ino);
	cr_assert_eq(ks.rdev, st.st_rdev);
	cr_assert_eq(ks.uid, 33);
	cr_assert_eq(ks.mnt_id, 3);
	cr_assert_eq(ks.mode, S_IFCHR | 0600);
	iput(i);

	cr_assert_eq(dev_open(&ctx, makedev(1, 3), O_RDWR, &fd), 0);
	fstat(fd, &st);
	cr_assert_eq(st.st_rdev, makedev(1, 3));
	cr_assert_eq(dev_open(&ctx, makedev(8, 0), O_RDONLY, &fd), -ENXIO);
	cr_assert_eq(dev_open(&ctx, makedev(1, 1), O_RDONLY, &fd), -ENXIO);
	cr_assert_eq(dev_open(&ctx, makedev(1, 5), O_RDONLY, &fd), -ENXIO, "no such descriptor was given");
	/* A session of its own has no terminal; with one of ours it's found by number. */
	pid_t child = fork();
	if (child == 0) {
		setsid();
		ctx.tgid = getpid();
		int t = -1, r = dev_open(&ctx, makedev(5, 0), O_RDWR, &t);
		if (r != -ENXIO)
			_exit(1);
		if (ioctl(s, TIOCSCTTY, 0) < 0)
			_exit(2);
		r = dev_open(&ctx, makedev(5, 0), O_RDWR, &t);
		_exit(r == 0 && fstat(t, &st) == 0 && st.st_rdev == ks.rdev ? 0 : 3);
	}
	int status;
	waitpid(child, &status, 0);
	cr_assert_eq(status, 0, "%x", status);
}

/* The files come by mounts on it (tests/e2e). */
Test(proc, sysfs_skeleton)
{
	struct super *sys;
	int err;

	cr_assert_eq(sysfs_new(&sys), 0);
	struct inode *i = fake_walk(sys, "devices/system", &err);
	cr_assert(i && S_ISDIR(i->mode));
	cr_assert_null(fake_walk(sys, "kernel/security", &err));
	i = fake_walk(sys, "fs/cgroup", &err);
	cr_assert(i && S_ISDIR(i->mode));
}
