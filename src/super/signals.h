/* The self-pipe: each signal to the supervisor becomes one byte that its loop reads. Called by
 * super.c only.
 *
 * One at a time per process: a signal handler has nowhere else to keep its descriptor. */
#ifndef MOIL_SUPER_SIGNALS_H
#define MOIL_SUPER_SIGNALS_H

#include <signal.h>

enum { SIGNALS_MAX = 12 };

struct signals {
    int fds[2];                           /* read end, write end; -1: closed */
    struct sigaction before[SIGNALS_MAX]; /* what the host had */
};

/* Catches TERM, INT, QUIT, HUP (unless ignored, as under nohup), TSTP, CONT, TTIN, TTOU, USR1 and
 * CHLD, and ignores PIPE. 0 or MOIL_ESYS. Close in any case. */
int moil_signals_open(struct signals *s);
void moil_signals_close(struct signals *s);

/* The next signal that came, or 0. */
int moil_signals_next(const struct signals *s);

#endif
