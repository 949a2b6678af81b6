/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd.h - subcommands on kept layers: sandbox ls, diff, commit, discard, export, import, gc; and on running ones: exec, ps, stacks.
 * One file each.
 */
#ifndef TOOLS_CMD_H
#define TOOLS_CMD_H

#include "layer/layer.h"
#include "tools/options.h"

#include <stdio.h>

/* Exit status of the subcommands: 0, 1 where that is an answer (diff: there are changes), 125 for a failure, said on stderr. */
#define CMD_FAILED 125

struct command {
	const char *name, *usage;
	const char *page; /* its manual; NULL: it prints its help itself */
	int (*run)(int argc, char **argv);
};
/* NULL if it's no subcommand: then it's a command to run. */
const struct command *command_find(const char *name);
/* What NAME --help prints. */
void command_help(const struct command *cmd);
/* For words that no command takes. */
_Noreturn void command_misused(const char *name);

int cmd_ls(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_commit(int argc, char **argv);
int cmd_discard(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_gc(int argc, char **argv);
int cmd_exec(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_stacks(int argc, char **argv);

/* running.c: a running sandbox by its name, its process or one of those in it; or dies. Freed by registry_free(found, 1). */
struct registered;
struct registered *running_find(const char *who);
/* What a process is called in its innermost PID namespace; 0: it's gone. */
pid_t running_inner(pid_t pid);
/* The text with which a sandbox answers a request that takes a file for it (interposer/control.h), the caller's; or dies. what: for messages. */
struct control_head;
char *running_ask(const struct registered *s, const struct control_head *q, const char *what);
/* Terminals obey control characters. */
void fprint_visible(FILE *f, const char *s);
void print_visible(const char *s);
void print_lines(const char *s); /* the same, but line breaks stay */

/* run.c: the command as the options say, and what becomes of its changes. The status to exit with. */
int run_sandbox(struct launch_options *opt);

/* cmd.c. Opens a layer or ends the process with a message. With LAYER_LOCK it's to change: nothing lies on it. */
void open_layer_or_die(struct layer *l, const char *name, unsigned flags);
/* Opens a layer for a run, made if it isn't there; new: it mustn't be there. from: what --from says, or NULL. Locked. */
void create_layer_or_die(struct layer *l, const char *name, const char *dir, bool fakeroot, const char *from, bool new);
/* The model of an open layer, or dies. */
void load_model_or_die(struct model *m, const struct layer *l);
/* Is path (without a leading slash) one of the n filters, below one, or (above) a parent of one? No filters: everything is. */
bool path_selected(const char *path, char *const *filters, int n);
bool path_above(const char *path, char *const *filters, int n);
/* Filters as typed, to paths below the root: absolute or relative to the root; dies on "..". In place. */
void path_filters(char **filters, int n);
/* uid and gid as the host has them, from those inside. */
uid_t host_uid(const struct layer *l, uid_t uid);
gid_t host_gid(const struct layer *l, gid_t gid);
/* A progress bar on stderr if it's a terminal and it takes more than a second. done of total; total 0 clears it. */
bool progress_shown(void);
void progress(const char *what, uint64_t done, uint64_t total);

/* changes.c: what a layer changes, in order of the tree. */
struct change {
	char kind; /* 'A' 'M' 'D' 'R' */
	bool dir;
	bool content;            /* M, R: also the content (or link text) */
	const char *path, *from; /* without leading slash; from: of R */
	const struct layer_entry *e;
	uint32_t mode, uid, gid; /* as inside; of D: what the lower had, if known */
	int64_t size;
};
/* fn: 0 goes on; anything else ends the walk and is returned. rootfd: the host's root of the layer. */
int layer_changes(const struct layer *l, const struct model *m, int rootfd, int (*fn)(void *arg, const struct change *c),
		  void *arg) MUST_CHECK;
/* Is the child the lower's own object of that name, in the directory it's in there? */
bool entry_own(const struct layer_entry *e);
bool attrs_differ(const struct layer_inode *i);
bool content_differs(const struct layer *l, const struct layer_inode *i);
int open_root(const struct layer *l); /* O_PATH; dies */
/* Below rootfd without following any link or leaving it. Descriptor or -errno. */
int open_below(int rootfd, const char *path, int flags);

/* commit.c: applies a layer to the host. */
struct commit_options {
	bool dry_run, force, quiet;
	bool check; /* only says what is in the way */
	char **paths;
	int n_paths;
};
int layer_commit(struct layer *l, const struct commit_options *o); /* one layer alone */
/* One that may lie on others: with them, and with its binds. 0, 1: refused and nothing was changed, CMD_FAILED. Afterwards it lies on the root alone; they stay as they are. */
int commit_whole(struct layer *l, const struct commit_options *o);
/* Takes back what an interrupted commit made beside the host's names; then the layer can be run or thrown away. Locked. 0 or -errno. */
int commit_undo(struct layer *l) MUST_CHECK;
int commit_undo_all(struct layer *l) MUST_CHECK; /* and of its binds */
/* cmd_diff.c: the list as `sandbox diff` prints it, or with text as -u does. 1: there are changes, 0: none, CMD_FAILED. */
int print_diff(struct layer *l, bool text);

#endif
