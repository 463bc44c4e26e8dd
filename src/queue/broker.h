/* The queue protocol's transitions, one function each, over one link. Nothing here blocks.
 *
 * Callers: worker/ (fetch, settle, promote, …) and api/ (enqueue, wait, inspect, …). It knows
 * records as bytes and never looks into arguments or results. Every function returns 0 when the
 * script was sent (its callback will be called exactly once), or a negative code (then the callback
 * is not called). */
#ifndef MOIL_QUEUE_BROKER_H
#define MOIL_QUEUE_BROKER_H

#include "base/job.h"
#include "net/link.h"
#include "queue/keys.h"
#include "queue/scripts.h"

struct broker {
    struct link *link; /* borrowed */
    struct keys keys;
    struct args args; /* scratch for the next call */
    struct buffer text;
    int timeout_ms; /* of each call */
};

/* 0, MOIL_EINVAL for a bad namespace, MOIL_ENOMEM. */
int moil_broker_init(struct broker *b, struct link *link, const char *ns, int timeout_ms);
void moil_broker_fini(struct broker *b);

/* A script by its id, with `b->args` holding its ARGV (clear it, fill it, call). For the
 * transitions that need no more than that: docs/protocol.md has their ARGV and replies. */
int moil_broker_eval(struct broker *b, enum script_id script, link_call_cb *cb, void *data);

/* Enqueues a batch of any size and mix, in order within each queue and priority level. `acked` and
 * `created` are set in each submission that Redis acknowledged; `subs` and what its slices point to
 * must live until the callback. err: 0 when all were; otherwise some may be in, and sending the
 * same `subs` again is safe: those that were acknowledged are left out. */
typedef void broker_enqueue_cb(void *data, int err, const struct reply *reply);
int moil_broker_enqueue(struct broker *b, struct submission *subs, size_t count,
                        broker_enqueue_cb *cb, void *data);

/* Up to `want` jobs for an incarnation, from the queues in this order. The reply is [id, record,
 * id, record, …]. */
int moil_broker_fetch(struct broker *b, struct slice incarnation, unsigned want,
                      const struct slice *queues, size_t count, link_call_cb *cb, void *data);

#endif
