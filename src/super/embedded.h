/* The private redis-server of `--redis embedded[:DIR]` (ARCHITECTURE 7).
 *
 * DIR is 0700 and holds `lock`, `redis.sock`, the append-only file and the server's log. The server
 * inherits an flocked descriptor of DIR/lock, so that the lock lives exactly as long as it does:
 * whoever cannot lock attaches to the running server. It listens on the unix socket only. No Redis
 * client here: "up" means that it answers a PING.
 *
 * Nothing here waits: super.c calls step when next_ms says, reaped when the pid died, and lost when
 * the watched connection is readable. */
#ifndef MOIL_SUPER_EMBEDDED_H
#define MOIL_SUPER_EMBEDDED_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "super/backoff.h"

enum embedded_state {
    EMBEDDED_OFF,      /* never started, or stopped */
    EMBEDDED_STARTING, /* ours is coming up, or somebody else holds the lock */
    EMBEDDED_UP,       /* it answers */
    EMBEDDED_DOWN,     /* died; tried again at due_ms */
    EMBEDDED_STOPPING, /* was told to leave; killed at due_ms */
    EMBEDDED_STATES
};

struct embedded {
    const char *dir; /* borrowed */
    enum embedded_state state;
    pid_t pid;          /* of the server we started; 0: none (attached, or not running) */
    int dir_fd;         /* -1: not open */
    int watch_fd;       /* idle, to a server that is not ours, to see its end; -1: none */
    int64_t started_ms; /* monotonic, like all times here */
    int64_t due_ms;     /* of what the state waits for; STARTING: the deadline */
    struct backoff backoff;
};

void moil_embedded_init(struct embedded *e, const char *dir);
void moil_embedded_fini(struct embedded *e); /* closes; stops nothing */

/* Starts the server, or begins to attach to the one that holds the lock. From OFF or DOWN to
 * STARTING; or MOIL_ESYS, MOIL_EINVAL with one line in errstr that says what to do ("install
 * redis-server", …), and then it is DOWN. */
int moil_embedded_start(struct embedded *e, int64_t now_ms, char *errstr, size_t errlen);

/* Does what is due. 0; or why the server is DOWN now: as for start, and MOIL_ETIMEOUT (10 s). */
int moil_embedded_step(struct embedded *e, int64_t now_ms, char *errstr, size_t errlen);

/* When step wants to be called next, or 0: not by itself. */
int64_t moil_embedded_next_ms(const struct embedded *e, int64_t now_ms);

/* Its pid was reaped. errstr gets one line with the reason, where it was not told to stop (""
 * otherwise). */
void moil_embedded_reaped(struct embedded *e, int wait_status, int64_t now_ms, char *errstr,
                          size_t errlen);

/* watch_fd is readable: in UP, the server that we attached to has ended; while STARTING, step
 * should look. */
void moil_embedded_lost(struct embedded *e, int64_t now_ms);

/* Stops the server if we started it: SIGTERM, and SIGKILL after 10 s. It is OFF or STOPPING
 * afterwards. */
void moil_embedded_stop(struct embedded *e, int64_t now_ms);

/* For clients: DIR/redis.sock, or /proc/self/fd/N/redis.sock where that is over 100 bytes (N stays
 * open, so call it once, and when DIR is there). 0, MOIL_ESYS when there is no DIR, or MOIL_EINVAL
 * when it does not fit. */
int moil_embedded_socket(const char *dir, char *out, size_t len);

#endif
