/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - sandbox-tar, which sandbox(1) runs as "export" or "import". */
#include "tools/tar/tar.h"

#include "base/log.h"

#include <locale.h>
#include <string.h>

int main(int argc, char **argv)
{
	/* By which libarchive tells names that are UTF-8, as nearly all are, from others. */
	setlocale(LC_CTYPE, "C.UTF-8");
	if (argc && !strcmp(argv[0], "export"))
		return tar_export(argc, argv);
	if (argc && !strcmp(argv[0], "import"))
		return tar_import(argc, argv);
	die("is run by sandbox export and sandbox import");
}
