/* SPDX-License-Identifier: Apache-2.0 */
/* exec.c - execve: arguments, environment, auxiliary vector, scripts, names, errors. Runs itself as "exec show ...". */
#include "tests/conformance/t.h"

#include <limits.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>

extern char **environ;

static void show_file(const char *name)
{
	char buf[4096];
	int fd = open(name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

	printf("%s:", name);
	for (ssize_t i = 0; i < n; i++)
		putchar(buf[i] ? buf[i] : '|');
	printf("%s", n > 0 && buf[n - 1] == '\n' ? "" : "\n");
	close(fd);
}

static int show(int argc, char **argv)
{
	char buf[PATH_MAX] = "", comm[17] = "";
	size_t total = 0;

	for (int i = 0; i < argc; i++) {
		total += strlen(argv[i]) + 1;
		if (argc < 20 && strlen(argv[i]) < 200)
			printf("argv[%d] = \"%s\"\n", i, argv[i]);
	}
	printf("argc %d bytes %zu\n", argc, total);
	for (char **e = environ; *e; e++)
		if (!strncmp(*e, "T_", 2))
			printf("env %s\n", *e);
	printf("AT_EXECFN \"%s\"\n", (const char *)getauxval(AT_EXECFN));
	printf("AT_SECURE %lu AT_UID %lu AT_EUID %lu AT_GID %lu AT_EGID %lu AT_PAGESZ %lu phnum>0 %d\n",
	       getauxval(AT_SECURE), getauxval(AT_UID), getauxval(AT_EUID), getauxval(AT_GID), getauxval(AT_EGID),
	       getauxval(AT_PAGESZ), getauxval(AT_PHNUM) > 0);
	readlink("/proc/self/exe", buf, sizeof(buf) - 1);
	printf("exe %s\n", buf);
	prctl(PR_GET_NAME, comm);
	printf("name %s\n", comm);
	show_file("/proc/self/comm");
	if (argc < 20 && total < 2000)
		show_file("/proc/self/cmdline");
	for (int fd = 3; fd < 20; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf("fd %d is open\n", fd);
	struct sigaction sa;
	sigset_t set;

	sigaction(SIGUSR1, NULL, &sa);
	printf("SIGUSR1 %s\n", sa.sa_handler == SIG_IGN ? "ignored" : sa.sa_handler == SIG_DFL ? "default" : "?");
	sigaction(SIGUSR2, NULL, &sa);
	printf("SIGUSR2 %s\n", sa.sa_handler == SIG_IGN ? "ignored" : sa.sa_handler == SIG_DFL ? "default" : "?");
	sigprocmask(SIG_BLOCK, NULL, &set);
	printf("SIGHUP blocked %d\n", sigismember(&set, SIGHUP));
	return 7;
}

static void on_usr2(int s)
{
}

static char self[PATH_MAX];
#define TRY(name, path, ...)                                               \
	CHILD(name, char *a_[] = {__VA_ARGS__}; execve(path, a_, environ); \
	      printf("execve(%s): %s\n", name, strerrorname_np(errno)); fflush(stdout); _exit(99))

static void errors(void)
{
	char name[PATH_MAX + 10];

	TRY("nope", "nope", "x", NULL);
	TRY("empty name", "", "x", NULL);
	TRY("directory", "dir", "x", NULL);
	TRY("no x bit", "file", "x", NULL);
	TRY("below a file", "file/x", "x", NULL);
	TRY("loop", "loop", "x", NULL);
	TRY("dangling", "dangling", "x", NULL);
	t_put("text", "no header\n", 0755);
	TRY("text", "./text", "x", NULL);
	t_put("zero", "", 0755);
	TRY("no bytes", "./zero", "x", NULL);
	t_put("badelf",
	      "\177"
	      "ELF\2\1\1 and then nothing that makes sense at all............................",
	      0755);
	TRY("broken ELF", "./badelf", "x", NULL);
	t_put("nointerp", "#!/no/such/interpreter\n", 0755);
	TRY("missing interpreter", "./nointerp", "x", NULL);
	t_put("emptybang", "#!\n", 0755);
	TRY("empty #!", "./emptybang", "x", NULL);
	t_put("bangdir", "#!/usr\n", 0755);
	TRY("#! directory", "./bangdir", "x", NULL);
	t_put("selfbang", "#!./selfbang\n", 0755);
	TRY("#! itself", "./selfbang", "x", NULL);
	TRY("fifo", "fifo", "x", NULL);
	TRY("device", "/dev/null", "x", NULL);
	memset(name, 'a', sizeof(name));
	name[PATH_MAX] = 0;
	TRY("long path", name, "x", NULL);
	name[256] = 0;
	TRY("long name", name, "x", NULL);
	CHILD("bad path pointer", N("execve", execve((char *)1, (char *[]){"x", NULL}, environ)));
	CHILD("bad argv", N("execve", execve(self, (char **)1, environ)));
	CHILD("bad argv string", N("execve", execve(self, (char *[]){"x", (char *)1, NULL}, environ)));
	CHILD("bad envp", N("execve", execve(self, (char *[]){"x", NULL}, (char **)1)));
	CHILD("after a failed exec all goes on", execve(self, (char **)1, environ); t_stat("file");
	      O(open("file", O_RDONLY)));
}

static void scripts(void)
{
	char text[PATH_MAX + 64];

	snprintf(text, sizeof(text), "#!%s show\n", self);
	t_put("s1", text, 0755);
	TRY("script", "./s1", "zero", "one", "two words", NULL);
	snprintf(text, sizeof(text), "#! %s   show and more  \n", self);
	t_put("s2", text, 0755);
	TRY("script, one argument with blanks", "./s2", "zero", "one", NULL);
	t_put("s3", "#!./s1\n", 0755);
	TRY("script of a script", "./s3", "zero", "one", NULL);
	t_put("s4", "#!./s3 arg", 0755);
	TRY("script of a script of a script", "./s4", "zero", "one", NULL);
	t_put("s5", "#!./s4\n", 0755);
	t_put("s6", "#!./s5\n", 0755);
	t_put("s7", "#!./s6\n", 0755);
	TRY("five deep", "./s5", "zero", NULL);
	TRY("six deep", "./s6", "zero", NULL);
	TRY("seven deep", "./s7", "zero", NULL);
	TRY("sh script", "./script", "x", "a b", NULL);
	symlink("s1", "slink");
	TRY("script through a link", "./slink", "zero", NULL);
	CHILD("execvp without a header", execlp("./text", "text", NULL); printf("%s\n", strerrorname_np(errno)));
}

static void names(void)
{
	char path[PATH_MAX];

	symlink(self, "a-link-with-a-long-name");
	TRY("through a link", "./a-link-with-a-long-name", "other", "show", NULL);
	TRY("no argv[0]", self, NULL);
	TRY("empty argv[0]", self, "", "show", NULL);
	if (!chdir("dir"))
		TRY("relative, upwards", "../a-link-with-a-long-name", "x", "show", NULL);
	if (chdir(".."))
		return;
	int fd = open(self, O_RDONLY | O_CLOEXEC), keep = open("file", O_RDONLY);

	R(dup2(keep, 9));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	TRY("by descriptor", path, "x", "show", NULL);
	close(fd);
	fd = open(self, O_RDONLY);
	CHILD("fexecve", char *a[] = {"fexecve", "nothing", NULL}; fexecve(fd, a, environ);
	      printf("%s\n", strerrorname_np(errno)));
	close(fd);
	close(keep);
	close(9);
	setenv("T_ONE", "1", 1);
	setenv("T_TWO", "two words", 1);
	TRY("environment", self, "x", "show", NULL);
	unsetenv("T_ONE");
	unsetenv("T_TWO");
	CHILD("signals", signal(SIGUSR1, SIG_IGN); signal(SIGUSR2, on_usr2); sigset_t s; sigemptyset(&s);
	      sigaddset(&s, SIGHUP); sigprocmask(SIG_BLOCK, &s, NULL); execl(self, "x", "show", NULL));
}

static void sizes(void)
{
	static char big[128 * 1024 + 1];
	struct rlimit stack;

	memset(big, 'x', sizeof(big));
	big[128 * 1024 - 1] = 0;
	TRY("argument of 128 KiB", self, "x", "show", big, NULL);
	big[128 * 1024 - 1] = 'x';
	big[128 * 1024] = 0;
	TRY("a byte more", self, "x", "show", big, NULL);
	getrlimit(RLIMIT_STACK, &stack);
	big[1000] = 0;
	if (stack.rlim_cur >= 8 << 20) {
		char **v = calloc(4000, sizeof(*v));

		v[0] = "x";
		v[1] = "show";
		for (int i = 2; i < 1900; i++)
			v[i] = big;
		CHILD("nearly 2 MiB of arguments", execve(self, v, environ); printf("%s\n", strerrorname_np(errno)));
		for (int i = 2; i < 3000; i++)
			v[i] = big;
		CHILD("too much", execve(self, v, environ); printf("%s\n", strerrorname_np(errno)));
		free(v);
	}
}

static void spawning(void)
{
	int st;
	pid_t p;
	char *a[] = {"spawned", "show", NULL}, *e[] = {"T_SPAWN=1", NULL};

	fflush(stdout);
	R(posix_spawn(&p, self, NULL, NULL, a, e));
	waitpid(p, &st, 0);
	printf("status %d\n", WEXITSTATUS(st));
	R(posix_spawn(&p, "/no/such", NULL, NULL, a, e));
	posix_spawn_file_actions_t fa;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 1, "spawn.out", O_CREAT | O_WRONLY, 0644);
	posix_spawn_file_actions_addchdir_np(&fa, "dir");
	R(posix_spawnp(&p, "pwd", &fa, NULL, (char *[]){"pwd", NULL}, environ));
	waitpid(p, &st, 0);
	printf("status %d\n", WEXITSTATUS(st));
	t_stat("spawn.out");
	fflush(stdout);
	p = vfork();
	if (!p) {
		execve("/bin/true", (char *[]){"true", NULL}, e);
		_exit(3);
	}
	waitpid(p, &st, 0);
	printf("vfork true %d\n", WEXITSTATUS(st));
	p = vfork();
	if (!p) {
		execve("/bin/nope", (char *[]){"true", NULL}, e);
		_exit(3);
	}
	waitpid(p, &st, 0);
	printf("vfork nope %d\n", WEXITSTATUS(st));
	R(system("exit 5") >> 8);
	R(system("echo through the shell | cat") >> 8);
}

/* A result goes to a part of the stack that nobody has touched, below what an exec maps at first: the kernel grows the stack for it. */
static __attribute__((noinline)) void deep_stack(void)
{
	char deep[600000];

	printf("getcwd deep in the stack %d\n", getcwd(deep, PATH_MAX) == deep);
}

int main(int argc, char **argv)
{
	/* Run with fewer than two words by one of the tests below: the kernel makes an empty argv[0] since 5.18. */
	if ((argc < 2 && getenv("EXEC_CHILD")) || (argc > 1 && !strcmp(argv[0], "fexecve")))
		return printf("argc %d\n", argc), 0;
	if (argc > 1)
		return show(argc, argv);
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	umask(022);
	setenv("EXEC_CHILD", "1", 1);
	errors();
	scripts();
	names();
	sizes();
	deep_stack();
	spawning();
	return 0;
}
