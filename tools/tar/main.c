/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - sandbox-tar, which sandbox(1) runs as "export" or "import". */
#include "tools/tar/tar.h"

#include "base/log.h"

#include <string.h>

int main(int argc, char **argv)
{
	if (argc && !strcmp(argv[0], "export"))
		return tar_export(argc, argv);
	if (argc && !strcmp(argv[0], "import"))
		return tar_import(argc, argv);
	die("is run by sandbox export and sandbox import");
}
