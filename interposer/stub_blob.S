/* SPDX-License-Identifier: Apache-2.0 */
/* The loader stub as bytes: struct supervisor's stub_start and stub_end. STUB_FILE is the linked stub, given by the build. */
	.section .rodata
	.globl stub_start, stub_end
	.balign 16
stub_start:
	.incbin STUB_FILE
stub_end:
	.section .note.GNU-stack,"",@progbits
