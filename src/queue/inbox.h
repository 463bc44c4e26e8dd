/* Waiting for jobs of others: one inbox list in Redis per caller, and who waits for which id in
 * this process.
 *
 * wait.lua answers what has ended already and registers the inbox for the rest; settle.lua and
 * progress.lua push messages to it, which the owner of the blocking connection hands to
 * moil_inbox_deliver. Used by worker/ and api/client. Messages may be lost (a dropped link, an
 * expired inbox): moil_inbox_refresh asks again. */
#ifndef MOIL_QUEUE_INBOX_H
#define MOIL_QUEUE_INBOX_H

#include "base/id.h"
#include "queue/broker.h"

enum { MOIL_INBOX_REFRESH_MS = 10000 };

enum inbox_event {
    INBOX_ENDED,    /* text: the R record */
    INBOX_PROGRESS, /* text: the note: state worker started_us \n meta */
    INBOX_UNKNOWN,  /* there is no such job, or its result was not kept */
    INBOX_FAILED,   /* the question could not be asked: `err` */
};

/* One waiter, in the caller's memory. Every event but INBOX_PROGRESS ends it. The text is borrowed
 * for the call. */
struct inbox_wait {
    struct inbox_wait *prev, *next; /* inbox's own */
    struct inbox_job *job;          /* inbox's own; NULL when it does not wait */
    void (*cb)(struct inbox_wait *wait, enum inbox_event event, int err, struct slice text);
    void *data;
};

struct inbox {
    struct broker *broker; /* borrowed */
    char owner[MOIL_ID_LEN + 1];
    struct inbox_job *jobs; /* by id */
};

void moil_inbox_init(struct inbox *in, struct broker *broker, const char *owner);
void moil_inbox_fini(struct inbox *in); /* waiters are forgotten without a call */

/* Starts waiting. 0 also when the link is down: the refresh that follows its coming up asks. Else a
 * negative code, and it does not wait. */
int moil_inbox_wait(struct inbox *in, struct inbox_wait *wait, struct slice id);
void moil_inbox_cancel(struct inbox *in, struct inbox_wait *wait);

/* A message that BLPOP brought. Damaged ones and those that nobody waits for are dropped. */
void moil_inbox_deliver(struct inbox *in, struct slice message);

/* Asks again for every id waited for; on reconnect and every MOIL_INBOX_REFRESH_MS. */
void moil_inbox_refresh(struct inbox *in);

/* Ends a worker's BLPOP on its inbox by a message that says nothing. It expires like the others:
 * the worker may be gone, and its recovery behind us. 0 when it was sent. */
int moil_inbox_rouse(struct broker *b, struct slice owner);

/* Likewise with a message for the worker itself, whose kind is its first byte. */
int moil_inbox_send(struct broker *b, struct slice owner, struct slice message);

bool moil_inbox_is_empty(const struct inbox *in);

#endif
