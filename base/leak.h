/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leak.h - LeakSanitizer looks for pointers in data, stacks and the heap, not in what we map ourselves. A mapping that holds the only pointer to
 * something is told to it, else what it keeps would count as lost. Without a sanitizer this is nothing.
 */
#ifndef BASE_LEAK_H
#define BASE_LEAK_H

#include <stddef.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if __has_feature(address_sanitizer) || defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
static inline void leak_root(const void *p, size_t size)
{
	__lsan_register_root_region(p, size);
}
#else
static inline void leak_root(const void *p, size_t size)
{
}
#endif

#endif
