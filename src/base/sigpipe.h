/* Writing to what the other end has closed without the signal that comes of it: SIGPIPE is kept
 * from the program, whatever that does with it: blocked meanwhile, and taken if it has come. One
 * that the program itself has blocked is its own.
 *
 * Called around writes to sockets and pipes, in the thread that writes. */
#ifndef MOIL_BASE_SIGPIPE_H
#define MOIL_BASE_SIGPIPE_H

#include <signal.h>

struct sigpipe_guard {
    sigset_t pipe, before;
};

void moil_sigpipe_hold(struct sigpipe_guard *g);
void moil_sigpipe_release(const struct sigpipe_guard *g);

#endif
