/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc.h - sandbox gc [PATH...]: removes the filestores that killed sandboxes left in these directories (default: the current one,
 * /tmp, /var/tmp and /). The status to exit with.
 */
#ifndef TOOLS_GC_H
#define TOOLS_GC_H

int gc_main(int argc, char **argv);

#endif
