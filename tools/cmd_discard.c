/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_discard.c - sandbox discard NAME...; sandbox gc.
 */
#include "tools/cmd.h"
#include "tools/gc.h"

#include "base/log.h"

#include <string.h>

int cmd_discard(int argc, char **argv)
{
	if (argc < 2 || argv[1][0] == '-')
		die("usage: sandbox discard NAME...");
	for (int i = 1; i < argc; i++) {
		AUTO_LAYER struct layer l = LAYER_INIT;
		open_layer_or_die(&l, argv[i], LAYER_LOCK);
		int r = commit_undo_all(&l);
		if (r)
			log_msg("%s: can't undo a commit that was interrupted: %s", argv[i], strerror(-r));
		r = layer_discard(&l);
		if (r)
			die("can't remove all of %s: %s; see sandbox gc", argv[i], strerror(-r));
	}
	return 0;
}

int cmd_gc(int argc, char **argv)
{
	int n = layer_gc();
	if (n < 0)
		die("gc: %s", strerror(-n));
	if (n)
		log_msg("removed %d layer%s of dead runs", n, n == 1 ? "" : "s");
	return gc_main(argc, argv);
}
