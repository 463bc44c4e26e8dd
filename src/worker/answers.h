/* Answers to control commands, on their way to who asked (control_reply.lua): the agent's and a
 * worker's own. One that could not be sent waits for the link; one that nobody waits for any more
 * Redis drops. */
#ifndef MOIL_WORKER_ANSWERS_H
#define MOIL_WORKER_ANSWERS_H

#include "queue/broker.h"

enum { ANSWERS_MAX = 64 }; /* that wait for the link; more are dropped */

struct answer;

struct answers {
    struct broker *broker; /* borrowed */
    struct answer *list;   /* not acknowledged (utlist) */
    unsigned count;
};

void moil_answers_init(struct answers *as, struct broker *broker);
/* After the link was freed: nobody calls back. */
void moil_answers_fini(struct answers *as);

/* `text`: JSON, copied. */
void moil_answers_send(struct answers *as, struct slice request, struct slice text);

/* The link is up again. */
void moil_answers_resend(struct answers *as);

/* Whether the command may be carried out (control_claim.lua): fn is called with true or false, and
 * with false where Redis cannot tell. 0, or a negative code, and fn is not called. */
typedef void answers_claim_fn(void *data, bool is_ours);
int moil_answers_claim(struct answers *as, struct slice request, struct slice who,
                       answers_claim_fn *fn, void *data);

#endif
