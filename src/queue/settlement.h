/* A batch of verdicts on jobs of one incarnation, as settle.lua takes them: what ended is added as
 * it ends, and the batch is sent in one script. Only worker/settler.c uses it.
 *
 * The bytes are copied in, so the jobs may go at once; a batch whose reply was lost is sent again
 * as it is (settling twice is harmless: docs/protocol.md, "settle"). */
#ifndef MOIL_QUEUE_SETTLEMENT_H
#define MOIL_QUEUE_SETTLEMENT_H

#include "queue/broker.h"

struct settlement;

/* How a job ends of which a result or nothing is kept. It is counted under queue and state. */
struct ending {
    struct slice queue;
    const char *state; /* a literal: SUCCESS, FAILURE, REVOKED or IGNORED */
    int64_t expires_min;
    bool linked; /* its result goes to other jobs, so that others may start by it */
};

/* Whose verdicts they are, and for how many of the jobs that start by them it has room: those may
 * come with the reply, as from a fetch of these queues (docs/protocol.md, "settle"). */
struct settler_room {
    struct slice incarnation;
    unsigned want;
    const struct slice *queues;
    size_t count;
};

struct settlement *moil_settlement_new(void); /* NULL: out of memory */
void moil_settlement_free(struct settlement *s);
void moil_settlement_clear(struct settlement *s); /* keeps the memory */
size_t moil_settlement_count(const struct settlement *s);
size_t moil_settlement_bytes(const struct settlement *s);
unsigned moil_settlement_linked(const struct settlement *s); /* verdicts that are `linked` */

/* Each returns 0 or MOIL_ENOMEM, and leaves the batch as it was on failure. */
int moil_settlement_drop(struct settlement *s, struct slice id,
                         const struct ending *how); /* nothing
                                                       is
                                                       kept
                                                     */
int moil_settlement_end(struct settlement *s, struct slice id, struct slice record,
                        const struct ending *how);
int moil_settlement_dead(struct settlement *s, struct slice id, struct slice record);
int moil_settlement_retry(struct settlement *s, struct slice id, struct slice record,
                          int64_t delay_ms);
/* To the front of its level: who hands back several begins with the last, and the old order is
 * kept. */
int moil_settlement_requeue(struct settlement *s, struct slice id, struct slice queue,
                            int priority);

/* The workflow that was staged under the token takes the job's place. */
int moil_settlement_replace(struct settlement *s, struct slice id, struct slice token);

/* Some of its jobs may not be in flight with us any more: it was sent before, or they were fetched
 * over an earlier link. Redis then looks at each of them. */
void moil_settlement_doubt(struct settlement *s);

/* Sends the batch. MOIL_EFENCED in the callback: nothing was settled. The reply is a number, how
 * many were; or, where jobs are handed over, a list that begins with it. */
int moil_settlement_send(struct settlement *s, struct broker *b, const struct settler_room *room,
                         link_call_cb *cb, void *data);

#endif
