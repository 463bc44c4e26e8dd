/* What waits in the namespace: queues, their lengths and the age of what is next in them, and what
 * is delayed, deferred, in flight or dead; from Redis, by one script a second at most, and only
 * when somebody asks. A part of the agent's endpoint (endpoint.h). */
#ifndef MOIL_WORKER_STOCK_H
#define MOIL_WORKER_STOCK_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

struct agent;

enum {
    STOCK_FRESH_MS = 1000,    /* an answer serves all who ask within that time */
    STOCK_PATIENCE_MS = 1000, /* who asked is not kept waiting for longer */
    STOCK_QUEUES_MAX = 1000,  /* the rest is told of as the queue `other` */
};

enum stock_state {
    STOCK_KNOWN,   /* `text` is of now */
    STOCK_AWAITED, /* it was asked for; `on_answer` comes */
    STOCK_UNKNOWN, /* Redis is away, is slow, or refuses */
};

struct stock {
    struct agent *agent;
    bool asking;
    int64_t asked_us;    /* monotonic, like all here */
    int64_t answered_us; /* … by what `text` holds; 0: by nothing */
    int64_t refused_us;
    struct buffer text; /* samples for Prometheus (metrics.h) */
    ev_timer patience;
    void (*on_answer)(void *data); /* also when there is none */
    void *data;
};

void moil_stock_init(struct stock *s, struct agent *a, void (*on_answer)(void *data), void *data);
void moil_stock_fini(struct stock *s); /* once its calls have ended */

/* Asks, where that is due. */
enum stock_state moil_stock_look(struct stock *s);

#endif
