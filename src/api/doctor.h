/* `moil doctor`'s examination: one line for each thing that was looked at, with what to do where it
 * is not well.
 *
 *   doctor.c         the order; a part of the client (client.h)
 *   doctor_redis.c   the server: version, disk, memory, speed, rights, clock
 *   doctor_jobs.c    nodes, queues, dead jobs, the books
 *   doctor_host.c    this machine; reads /proc and /sys, asks nobody */
#ifndef MOIL_API_DOCTOR_H
#define MOIL_API_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>

#include "api/client.h"

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_BAD };

struct doctor {
    struct moil_client *client;
    json_t *checks;
    int bad;
    struct buffer info; /* of Redis; empty: it did not answer */
    json_t *nodes;      /* as MOIL_VIEW_NODES has them; NULL: not known */
};

/* Adds a line; advice may be NULL. */
void moil_doctor_say(struct doctor *d, const char *check, enum doctor_level level,
                     const char *advice, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* Sends one command; the link is up. `take` is given the reply, an error reply too, and not called
 * where the link breaks. 0, or a status. */
int moil_doctor_command(struct doctor *d, const char *const *words,
                        void (*take)(void *data, const struct reply *reply), void *data);

/* False: there is no use in looking further at what Redis holds. */
bool moil_doctor_redis(struct doctor *d);
void moil_doctor_jobs(struct doctor *d);
void moil_doctor_host(struct doctor *d);

#endif
