/* SPDX-License-Identifier: Apache-2.0 */
/* tar.h - sandbox-tar: sandbox export and sandbox import. */
#ifndef TOOLS_TAR_TAR_H
#define TOOLS_TAR_TAR_H

#include "tools/cmd.h"

int tar_export(int argc, char **argv);
int tar_import(int argc, char **argv);

#endif
