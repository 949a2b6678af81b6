/* SPDX-License-Identifier: Apache-2.0 */
/* gc.c - sandbox gc */
#include "tools/gc.h"

#include "base/log.h"
#include "interposer/media.h"
#include "interposer/registry.h"

#include <stdio.h>
#include <string.h>

int gc_main(int argc, char **argv)
{
	static const char *const defaults[] = {".", "/tmp", "/var/tmp", "/"};
	int status = 0, removed = 0, records = registry_gc();
	bool given;

	if (argc > 1 && !strcmp(argv[1], "--"))
		argc--, argv++;
	if (argc > 1 && argv[1][0] == '-')
		die("usage: sandbox gc [PATH...]");
	given = argc > 1;
	for (int i = 0; i < (given ? argc - 1 : (int)ARRAY_SIZE(defaults)); i++) {
		const char *dir = given ? argv[i + 1] : defaults[i];
		int r = media_collect(dir, true);
		if (r < 0 && given) {
			log_msg("%s: %s", dir, strerror(-r));
			status = 1;
		}
		removed += MAX(r, 0);
	}
	if (records)
		log_msg("removed %d record%s of sandboxes that were killed", records, records == 1 ? "" : "s");
	if (removed)
		log_msg("removed %d filestore%s", removed, removed == 1 ? "" : "s");
	return status;
}
