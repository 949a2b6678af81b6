/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.h - running one command in a sandbox: what the front ends call.
 */
#ifndef INTERPOSER_LAUNCH_H
#define INTERPOSER_LAUNCH_H

#include "base/base.h"

#include "interposer/trace/trace.h"
#include "vfs/vfs.h"

#include <sys/types.h>

enum bind_kind { BIND_RW, BIND_RO, BIND_COW };
enum mount_kind { MOUNT_BIND, MOUNT_TMPFS, MOUNT_HIDE };
/* One --bind, --ro-bind, --cow-bind, --tmpfs or --hide, in the order of the command line: later ones cover earlier ones. */
struct launch_mount {
	enum mount_kind kind;
	enum bind_kind bind;
	char *src; /* host path of a bind */
	char *dst; /* absolute path inside */
	/* Data directory of the kept layer that has a copy-on-write bind's changes, likewise owned as keep's; NULL: they aren't kept. */
	const char *keep;
};

/* --overlay MOUNT:MEDIUM[,size=SIZE][,inodes=N] */
enum medium_kind { MEDIUM_DEFAULT, MEDIUM_MEMORY, MEDIUM_DIR, MEDIUM_SELF };
struct launch_medium {
	enum medium_kind kind;
	char *dir;             /* MEDIUM_DIR */
	uint64_t size, inodes; /* 0: no limit */
};

/* A kept layer (layer/layer.h) as the upper of the root. */
struct launch_keep {
	const char *data; /* path of its data directory, in a directory of the caller's own */
	uint32_t kuid;    /* kernel uid that owns what's in it; 0: the caller's own */
};

/* A kept layer that lies under the changes. */
struct launch_layer {
	const char *store; /* path of its store, in a directory of the caller's own */
	int journal;       /* open for reading only */
};

struct launch_options {
	char **argv;                      /* command and arguments, NULL terminated */
	char **env;                       /* environment of the command, NULL terminated */
	const char *root;                 /* host directory of the lower root */
	bool overlay_none;                /* the root is read-only */
	struct launch_medium root_medium; /* default: all's */
	struct launch_medium all;         /* default: memory, and read-write binds without overlay */
	uint64_t max_disk, memory;        /* 0: no limit, here and below */
	unsigned pids, timeout_ms, milli_cpus;
	struct launch_mount *mounts;
	unsigned n_mounts;
	const char *chdir; /* inside; NULL: the caller's own directory if it exists inside, else "/" */
	bool set_ids;      /* uid and gid below instead of the caller's */
	uid_t uid;
	gid_t gid;
	bool fakeroot;
	const char *hostname;
	bool net_host;
	bool stats;
	bool explain, explain_json;
	const char *explain_file;     /* NULL: standard error */
	const struct vfs_rule *rules; /* of a profile; NULL: everything is allowed */
	size_t n_rules;
	int notes_fd;                      /* what was used is written there at the end (interposer/notes.c); 0: to nobody */
	struct trace_options trace;        /* on: sandbox trace */
	const struct launch_keep *keep;    /* NULL: nothing is kept. Not with OVERLAY_NONE */
	const struct launch_layer *layers; /* the topmost first. Locked by the caller. Not with OVERLAY_NONE */
	unsigned n_layers;
	const char *name;         /* for those who look for it (registry.h), or NULL */
	const char *debug_log;    /* file, or NULL */
	const char *debug_levels; /* as log_debug_open() takes them */
};

/* Is it a bind whose changes don't go to the host? */
static inline bool launch_is_cow(const struct launch_options *opt, const struct launch_mount *m)
{
	return m->kind == MOUNT_BIND && (m->bind == BIND_COW || (m->bind == BIND_RW && opt->all.kind));
}

/*
 * Runs the command to its end. Returns the status to exit with: the command's own, 128+n for signal n, 125 for a failure of
 * the sandbox (said on stderr), 126 and 127 as a shell has them. Called once, single threaded.
 */
/* Kernel uids of a sandbox that root starts: a pair that no account has, another for each sandbox, so that the host's limits a user
 * (processes, locked memory, inotify) never make one sandbox feel another. Debian leaves 2^30 upwards unused. */
#define KUID_BASE 0x60000000U
/* A kernel uid for a layer that root makes: as long as no other sandbox of this process id runs, it has this one for itself. */
static inline uid_t launch_kuid(void)
{
	return KUID_BASE + 2 * ((unsigned)getpid() & 0x3fffff);
}
int sandbox_run(const struct launch_options *opt);

/* A command that joins a running sandbox. */
struct registered;
struct join_options {
	char *const *argv, *const *env; /* NULL terminated */
	const char *chdir;              /* inside; NULL: where the sandbox's own command started */
	bool set_uid, set_gid;          /* ids of their own, without further groups; else the sandbox's command's */
	uid_t uid;
	gid_t gid;
};
/* Runs it to its end: the status to exit with, as of sandbox_run(). Called once, single threaded. */
int sandbox_join(const struct registered *to, const struct join_options *opt);
/* Dies if 0, 1 or 2 is what may not be passed inside; closed ones become /dev/null. */
void launch_check_inherited(void);

#endif
