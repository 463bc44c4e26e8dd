/* What INFO's text tells of a Redis that a user of moil must know. Pure; used by the agent when it
 * first meets its Redis, and by `moil doctor`. */
#ifndef MOIL_WORKER_REDIS_CHECK_H
#define MOIL_WORKER_REDIS_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum redis_fault {
    REDIS_EVICTS,  /* it drops keys when its memory is full */
    REDIS_OLD,     /* a version that lacks what moil needs */
    REDIS_REPLICA, /* nothing can be written */
    REDIS_UNSAVED, /* it cannot write its data to disk */
};

/* One line each, at most one of a kind. */
typedef void moil_redis_warn_fn(void *data, enum redis_fault fault, const char *line);
void moil_redis_warn(struct slice info, moil_redis_warn_fn *warn, void *data);

/* The value of "key:value\r\n" as a string in out, control characters made harmless; false when
 * there is none. */
bool moil_redis_info(struct slice info, const char *key, char *out, size_t size);

#endif
