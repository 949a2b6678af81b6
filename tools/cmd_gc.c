/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_gc.c - sandbox gc [PATH...]: removes what killed sandboxes left behind: layers without a name, records of running ones, and
 * filestores in these directories.
 */
#include "tools/cmd.h"

#include "base/log.h"
#include "interposer/media.h"
#include "interposer/registry.h"

#include <string.h>

static void said(int n, const char *what, const char *of)
{
	if (n > 0)
		log_msg("removed %d %s%s%s", n, what, n == 1 ? "" : "s", of);
}

int cmd_gc(int argc, char **argv)
{
	static const char *const defaults[] = {".", "/tmp", "/var/tmp", "/"};
	int status = 0, stores = 0;
	bool given;

	if (argc > 1 && !strcmp(argv[1], "--"))
		argc--, argv++;
	else if (argc > 1 && argv[1][0] == '-')
		command_misused("gc");
	int layers = layer_gc();
	if (layers < 0)
		die("gc: %s", strerror(-layers));
	said(layers, "layer", " of dead runs");
	said(registry_gc(), "record", " of sandboxes that were killed");
	given = argc > 1;
	for (int i = 0; i < (given ? argc - 1 : (int)ARRAY_SIZE(defaults)); i++) {
		const char *dir = given ? argv[i + 1] : defaults[i];
		int r = media_collect(dir, true);
		if (r < 0 && given) {
			log_msg("%s: %s", dir, strerror(-r));
			status = CMD_FAILED;
		}
		stores += MAX(r, 0);
	}
	said(stores, "filestore", "");
	return status;
}
