/* sigpipe.c: see sigpipe.h. */
#include "base/sigpipe.h"

#include <stddef.h>
#include <time.h>

void moil_sigpipe_hold(struct sigpipe_guard *g)
{
    sigemptyset(&g->pipe);
    sigaddset(&g->pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &g->pipe, &g->before);
}

void moil_sigpipe_release(const struct sigpipe_guard *g)
{
    if (sigismember(&g->before, SIGPIPE))
        return;
    sigtimedwait(&g->pipe, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &g->before, NULL);
}
