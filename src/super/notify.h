/* What systemd is told of the node (Type=notify, WatchdogSec=): that it is ready, reloads, stops,
 * how it does, and that it is well. sd_notify's protocol by hand: lines in one datagram to the
 * unix socket that NOTIFY_SOCKET names. Without that variable nothing happens.
 *
 * Called by the supervisor's loop, once per turn; what to say it reads from the phase. A datagram
 * that cannot be sent is tried again in the next turn. */
#ifndef MOIL_SUPER_NOTIFY_H
#define MOIL_SUPER_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct super;

enum notify_state { NOTIFY_STARTING, NOTIFY_READY, NOTIFY_RELOADING, NOTIFY_STOPPING };

struct notify {
    struct sockaddr_un to;
    socklen_t to_len;     /* 0: nobody listens */
    int64_t ping_ms;      /* between two signs of life, half of what the watchdog allows; 0: none */
    int64_t pinged_ms;    /* monotonic */
    int64_t told_ms;      /* the status */
    enum notify_state is; /* as it was told */
    bool quiet;           /* as it was told */
    bool failed;          /* the last datagram did; it was logged */
    bool sick;            /* signs of life are withheld; it was logged */
    char status[160];     /* as it was told */
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and takes them out of the environment: they
 * are not for the children. What is wrong with them is logged. */
void moil_notify_open(struct notify *n);

/* Says what has changed since the last turn, and that all is well, when it is time to and it is
 * so: while the node runs, not all of its workers may be in a crash loop. */
void moil_notify_turn(struct notify *n, const struct super *s);

/* When the next sign of life is due (monotonic); 0: never. */
int64_t moil_notify_next_ms(const struct notify *n);

#endif
