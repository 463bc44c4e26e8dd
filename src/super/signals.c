/* The self-pipe of the supervisor. See signals.h. */
#include "super/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "base/error.h"

static const int caught[] = {SIGTERM, SIGINT,  SIGQUIT, SIGHUP,  SIGTSTP, SIGCONT,
                             SIGTTIN, SIGTTOU, SIGUSR1, SIGCHLD, SIGPIPE};

enum { CAUGHT = sizeof caught / sizeof caught[0] };

_Static_assert((int)CAUGHT <= (int)SIGNALS_MAX, "room for every disposition");

static int handler_fd = -1; /* a handler gets no pointer to a struct signals */

static void note_signal(int sig)
{
    int saved = errno;
    unsigned char byte = (unsigned char)sig;
    /* A full pipe wakes the loop as well, which reaps at each turn. */
    ssize_t n = write(handler_fd, &byte, 1);
    (void)n;
    errno = saved;
}

int moil_signals_open(struct signals *s)
{
    s->fds[0] = s->fds[1] = -1;
    if (pipe2(s->fds, O_CLOEXEC | O_NONBLOCK) != 0)
        return MOIL_ESYS;
    handler_fd = s->fds[1];
    for (size_t i = 0; i < CAUGHT; i++) {
        struct sigaction sa = {.sa_flags = SA_RESTART};
        sa.sa_handler = caught[i] == SIGPIPE ? SIG_IGN : note_signal;
        sigfillset(&sa.sa_mask);
        sigaction(caught[i], NULL, &s->before[i]);
        if (caught[i] == SIGHUP && s->before[i].sa_handler == SIG_IGN)
            continue;
        sigaction(caught[i], &sa, NULL);
    }
    return 0;
}

void moil_signals_close(struct signals *s)
{
    if (s->fds[0] < 0)
        return;
    for (size_t i = 0; i < CAUGHT; i++)
        sigaction(caught[i], &s->before[i], NULL);
    handler_fd = -1;
    close(s->fds[0]);
    close(s->fds[1]);
    s->fds[0] = s->fds[1] = -1;
}

int moil_signals_next(const struct signals *s)
{
    unsigned char byte;
    return read(s->fds[0], &byte, 1) == 1 ? byte : 0;
}
