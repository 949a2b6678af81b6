/* SPDX-License-Identifier: Apache-2.0 */
/* layer_gen.h - journals of kept layers from fuzz input, as a supervisor that was taken over could leave them. */
#ifndef TOOLS_FUZZ_LAYER_GEN_H
#define TOOLS_FUZZ_LAYER_GEN_H

#include "layer/journal.h"
#include "tools/fuzz/fuzz.h"

/*
 * Takes all of the input. Its first byte chooses: bytes as they are; frames whose checksums are right around any bytes; records that the
 * encoder made of choices, on few ids and names. b is the caller's to free.
 */
void layer_gen_journal(struct fuzz_in *in, struct jbuf *b);

#endif
