/* SPDX-License-Identifier: Apache-2.0 */
/*
 * front_tty.h - modes, size and foreground state of our own terminal, for front.c.
 */
#ifndef INTERPOSER_FRONT_TTY_H
#define INTERPOSER_FRONT_TTY_H

#include "interposer/front.h"

/* Are we the terminal's foreground group? */
bool front_tty_foreground(int tty);
/* Raw mode, remembering the present modes. Only in the foreground: from the background it would disturb whoever is. 0 or -errno. */
int front_tty_raw(int tty);
/* Back to the remembered modes; nothing without raw mode before. Left alone in the background: it's another group's terminal then. */
void front_tty_restore(int tty);
bool front_tty_is_raw(void);
/* While not raw: does the terminal itself turn NL to CR NL, as the command's terminal already did? */
bool front_tty_adds_cr(int tty);
/* Does output from the background stop the writer (stty tostop)? */
bool front_tty_tostop(int tty);
void front_tty_copy_size(const struct front *f);

#endif
