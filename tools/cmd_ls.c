/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_ls.c - sandbox ls: kept sandboxes, whether they run, their size, root and last command.
 */
#include "tools/below.h"
#include "tools/binds.h"
#include "tools/cmd.h"

#include "base/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static uint64_t store_bytes(int storefd)
{
	int fd = openat(storefd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	uint64_t sum = 0;
	struct dirent *e;
	struct stat st;

	if (!d) {
		close_fd_(&fd);
		return 0;
	}
	while ((e = readdir(d)))
		if (!fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) && !S_ISDIR(st.st_mode))
			sum += (uint64_t)st.st_blocks * 512;
	closedir(d);
	return sum;
}

int cmd_ls(int argc, char **argv)
{
	char **names;
	size_t n;
	int r = layer_list(&names, &n);

	if (r || argc > 1)
		die("ls: %s", argc > 1 ? "takes no arguments" : strerror(-r));
	if (n)
		printf("%-16s %-8s %8s  %-16s %-12s %-12s %s\n", "NAME", "STATE", "KiB", "CREATED", "ROOT", "FROM",
		       "COMMAND");
	for (size_t i = 0; i < n; i++) {
		AUTO_LAYER struct layer l = LAYER_INIT;
		static const char *const states[] = {"kept", "shared", "running"};
		char when[32] = "?", from[STACK_MAX * 66];
		r = layer_open(&l, names[i], 0, NULL);
		if (r) {
			printf("%-16s can't be read: %s\n", names[i], strerror(-r));
		} else {
			time_t t = (time_t)l.meta.created;
			struct tm tm;
			if (localtime_r(&t, &tm))
				strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
			below_text(&l.meta, from, sizeof(from));
			AUTO_BINDS struct layer_binds b = {0};
			uint64_t bytes = store_bytes(l.storefd);
			if (!layer_binds(&l, &b))
				for (unsigned k = 0; k < b.n; k++)
					bytes += store_bytes(b.v[k].storefd);
			printf("%-16s %-8s %8" PRIu64 "  %-16s %-12s %-12s ", l.name, states[layer_use(&l)], bytes / 1024,
			       when, l.meta.root, from);
			print_visible(l.meta.command ? l.meta.command : "");
			putchar('\n');
		}
		free(names[i]);
	}
	free(names);
	return 0;
}
