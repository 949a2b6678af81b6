/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confine.c - the last step before the command's first instruction: the supervisor, which will handle hostile input all day, gives up
 * what it doesn't need. Its root is empty and its capabilities are gone already (place_leave()); now its calls.
 */
#include "interposer/supervisor.h"

#include "base/log.h"
#include "interposer/filter.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

void confine_supervisor(void)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	/* A sanitizer's runtime makes calls of its own choice: such a build is for tests and runs without this filter. */
	return;
#endif
	int err = filter_install_supervisor();
	if (err)
		die("can't install the supervisor's own filter: %s", strerror(-err));
}
