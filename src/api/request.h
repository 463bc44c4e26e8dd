/* One call of a client under way: a state machine on the client's loop, which waits for the link,
 * asks, takes the answer, asks on, tries again after what may pass, and ends at its deadline.
 *
 * The one implementation of all calls. The blocking client (client.c) starts a request and runs its
 * private loop until it has been told; a client on the host's loop (async.c) leaves it to that
 * loop. What a call asks and how it reads the answers is its operation's: enqueue.c, wait.c,
 * steer.c, inspect.c. Nothing of the program's is called from inside of a callback of the link:
 * what has ended is queued, and told by a watcher of its own, so that the program may close the
 * client there.
 */
#ifndef MOIL_API_REQUEST_H
#define MOIL_API_REQUEST_H

#include <ev.h>
#include <stdbool.h>

#include "api/moil.h"
#include "queue/broker.h"

struct moil_client;

enum request_state {
    REQUEST_LINKING,   /* for the link to come up */
    REQUEST_ASKING,    /* for an answer */
    REQUEST_PAUSING,   /* until it asks again after an error that may pass */
    REQUEST_LISTENING, /* for a job's end (wait.c) */
    REQUEST_ENDED,     /* and its end is to be told, or was */
};

enum { REQUEST_MORE = 0x7fffffff };

/* All but send and free may be NULL. */
struct operation {
    const char *late; /* "Redis did not %s within …" */

    /* Sends what is next, with moil_request_answered as its callback. 0, or a MOIL_E… code: then
     * the callback does not come. */
    int (*send)(struct moil_request *r);

    /* A good answer. REQUEST_MORE: there is more to ask, with a deadline of its own; else how it
     * ends. Sets the sentence of a failure. */
    int (*take)(struct moil_request *r, const struct reply *reply);

    /* It is about to fail. What becomes of it: a status, or REQUEST_MORE, but not where an answer
     * is still to come (`asked`). */
    int (*failed)(struct moil_request *r, int status);

    /* It has ended; nothing comes for it any more. */
    void (*stop)(struct moil_request *r);

    /* Tells the program one thing that came up before the end; the request may be gone then. */
    void (*note)(struct moil_request *r);
    bool (*has_note)(const struct moil_request *r);

    /* Calls the program's callback with the end. */
    void (*tell)(struct moil_request *r);

    /* Frees what the operation holds, but not the request. */
    void (*free)(struct moil_request *r);
};

union request_fn {
    moil_enqueued_fn *enqueued;
    moil_waited_fn *waited;
    moil_answer_fn *answer;
    moil_count_fn *count;
};

/* An operation's own struct begins with it. */
struct moil_request {
    struct moil_request *prev, *next;           /* of those under way */
    struct moil_request *news_prev, *news_next; /* of those with something to tell */
    struct moil_client *client;
    const struct operation *op;
    enum request_state state;
    bool asked;    /* an answer will come, also after the end */
    bool in_news;  /* it has something to tell */
    bool told;     /* its end was told, or may be taken by the blocking caller */
    bool released; /* nobody looks any more: it is freed with the answer that is to come */
    double deadline_s;
    ev_timer deadline;
    ev_timer pause;
    double pause_s; /* after the next error that may pass; it grows with each */
    int refused;    /* the status of the last one, whose sentence stands; 0: none */
    int status;     /* how it ended */
    char errstr[512];
    union request_fn fn; /* of the program; NULL: nobody is told */
    void *data;
};

/* Zeroed memory of that size, or NULL with the client's sentence set. */
void *moil_request_new(struct moil_client *c, const struct operation *op, size_t size);

/* Begins; nothing is told before it returns. deadline_s: of each question. */
void moil_request_start(struct moil_request *r, double deadline_s);

/* The deadline that counts from now on; < 0: none. */
void moil_request_set_deadline(struct moil_request *r, double seconds);

/* The callback of what an operation sends; data is the request. */
void moil_request_answered(void *data, int err, const struct reply *reply);

/* Sets the sentence of a failure, and returns the status. */
int moil_request_fail(struct moil_request *r, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Ends it: queued to be told. */
void moil_request_end(struct moil_request *r, int status);

/* It has something to tell before its end. */
void moil_request_notify(struct moil_request *r);

/* Done with it: it is freed now, or with the answer that is still to come. NULL is fine. */
void moil_request_release(struct moil_request *r);

/* Ends it, now, and tells that it was cancelled. */
void moil_request_cancel(struct moil_request *r);

/* --- of all of a client ----------------------------------------------------------------------- */

/* The link came up, or went down or was not to be had. */
void moil_requests_up(struct moil_client *c);
void moil_requests_down(struct moil_client *c);

/* Cancels all. The program may have closed the client when it returns, but it is not freed. */
void moil_requests_cancel(struct moil_client *c);

/* The callback of the client's teller. */
void moil_requests_tell_cb(struct ev_loop *loop, ev_timer *w, int events);

#endif
