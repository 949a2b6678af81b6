/* SPDX-License-Identifier: Apache-2.0 */
/* wire_gen.h - gofer messages from fuzz input, well formed and mostly about names that exist in a target's tree. */
#ifndef TOOLS_FUZZ_WIRE_GEN_H
#define TOOLS_FUZZ_WIRE_GEN_H

#include "gofer/wire.h"
#include "tools/fuzz/fuzz.h"

/* The fields of a request or of a successful reply, appended to o. op is below OP_COUNT. */
void wire_gen_request(struct fuzz_in *in, struct wire_out *o, uint32_t op);
void wire_gen_reply(struct fuzz_in *in, struct wire_out *o, uint32_t op);
/* Turns one byte of the packet. */
void wire_gen_damage(struct fuzz_in *in, struct wire_out *o);
/* A path or another string, WIRE_PATH_MAX + 63 bytes at most. Valid until eight more were made. */
struct wire_str wire_gen_str(struct fuzz_in *in);

#endif
