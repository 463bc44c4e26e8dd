/* The private redis-server of `--redis embedded[:DIR]` (ARCHITECTURE 7).
 *
 * DIR is 0700 and holds `lock`, `redis.sock`, the append-only file and the server's log. The server inherits an flocked
 * descriptor of DIR/lock, so that the lock lives exactly as long as it does: whoever cannot lock attaches to the
 * running server. It listens on the unix socket only. No Redis client here: "up" means that the socket accepts. */
#ifndef MOIL_SUPER_EMBEDDED_H
#define MOIL_SUPER_EMBEDDED_H

#include <stddef.h>
#include <sys/types.h>

struct embedded {
    char dir[1024];
    int lock_fd; /* -1: not held by us */
    pid_t pid;   /* of the server we started; 0: none (attached, or not running) */
};

/* Starts the server, or attaches to the one that holds the lock. 0 when its socket accepts; MOIL_ESYS, MOIL_EINVAL or
 * MOIL_ETIMEOUT (10 s) with one line in errstr that says what to do ("install redis-server", …). */
int moil_embedded_start(struct embedded *e, const char *dir, char *errstr, size_t errlen);

/* The server ended (its pid was reaped, or attaching found the socket dead): tries to take the lock and start it again. */
int moil_embedded_restart(struct embedded *e, char *errstr, size_t errlen);

/* Stops the server if we started it: SIGTERM, and SIGKILL after 10 s. */
void moil_embedded_stop(struct embedded *e);

/* DIR/redis.sock, or /proc/self/fd/N/redis.sock where that is over 100 bytes. 0 or MOIL_EINVAL. */
int moil_embedded_socket(const char *dir, char *out, size_t len);

#endif
