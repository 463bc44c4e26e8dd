/* What the parts of the client share; the public face is moil.h.
 *
 *   request.c    a call under way: the state machine of all of them
 *   client.c     opening, closing, the two connections; the loop that makes calls blocking
 *   async.c      the face of a client on the host's loop
 *   enqueue.c    jobs in
 *   job_check.c  what is wrong with a job that a program hands over
 *   graph.c      workflows in
 *   depend.c     jobs that wait for others
 *   wait.c       results out
 *   inspect.c    looking
 *   gather.c     the results of a group, for a job that is replayed
 *   audit.c      checking
 *   beat.c       entries of the schedule
 *   control.c    commands for nodes
 *   events.c     what happens, as it happens
 *   steer.c      revoke, reschedule, purge, pause
 *   dead.c       the dead set
 *
 * A blocking client has its own libev loop, which runs only inside its calls; the other one lives
 * on the host's. lua_module.c uses this header too. */
#ifndef MOIL_API_CLIENT_H
#define MOIL_API_CLIENT_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/moil.h"
#include "api/request.h"
#include "queue/broker.h"
#include "queue/graph.h"
#include "queue/inbox.h"
#include "vm/host.h"

enum { MOIL_PAYLOAD_DEFAULT = 1024 * 1024, MOIL_RESULT_TTL_DEFAULT_S = 86400 };

struct moil_client {
    struct url url;
    struct ev_loop *loop;
    bool is_blocking; /* the loop is its own */
    struct link *link;
    struct link *waiting; /* BLPOP on the inbox; connected at the first wait */
    struct broker broker;
    struct inbox inbox;
    bool blocked;                  /* BLPOP is under way */
    ev_timer listen;               /* … or is to be again, after an error */
    ev_timer refresh;              /* of the inbox */
    struct moil_request *requests; /* under way */
    struct moil_request *news;     /* to be told, the oldest first */
    ev_timer teller;               /* tells them */
    unsigned starting;             /* the program is starting a call */
    unsigned depth;                /* of what works on it: then it must not be freed */
    bool closing;                  /* it is freed when that is over */
    bool was_up; /* it has been connected once: a lost link is waited for, a wrong address is not */
    moil_step_fn *on_step; /* between the pages of a long call; NULL: nobody asks */
    void *step_data;
    double deadline_s; /* of each call */
    double call_s;     /* of the call that moil_client_begin began */
    size_t max_payload;
    int status; /* of the last call that could not be started */
    char errstr[512];
};

struct moil_async {
    struct moil_client client;
};

/* Handles a good reply of a call; its return value is the call's. The reply is borrowed for the
 * call. */
typedef int moil_take_fn(void *data, const struct reply *reply);

/* 0, or a status with one line in errstr. loop NULL: a blocking client. Close what is zeroed too.
 */
int moil_client_init(struct moil_client *c, struct ev_loop *loop,
                     const moil_client_options *options, char *errstr, size_t errlen);
void moil_client_fini(struct moil_client *c);

/* Around what may call the program, which may close the client: it is freed by the last `leave`. */
void moil_client_enter(struct moil_client *c);
void moil_client_leave(struct moil_client *c);

/* Begins a call: clears the error, and sets the deadline of what follows. seconds < 0: none. */
void moil_client_begin(struct moil_client *c, double seconds);

/* Runs the loop of a blocking client until the request has ended: its status, with the sentence
 * set. NULL: the status why it could not be made. */
int moil_client_run(struct moil_client *c, struct moil_request *r);

/* Runs a script whose ARGV `fill` adds (again for each attempt: it is repeated after transient
 * errors until the deadline, so it must be harmless twice), and hands the reply to take.
 * moil_client_begin comes first. */
int moil_client_call(struct moil_client *c, enum script_id script,
                     void (*fill)(struct args *a, void *data), moil_take_fn *take, void *data);

/* A page of a long call is done; total 0: not known. 0, or MOIL_STATUS_CANCELLED with the sentence
 * set, where the program wants no more. */
int moil_client_step(struct moil_client *c, size_t done, size_t total);

/* Sets the sentence of the last failure and returns the status. */
int moil_client_fail(struct moil_client *c, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Why Redis refused, in the words of what to do where we know it. */
void moil_client_explain(int err, const struct reply *reply, char *out, size_t size);

/* The public status for an internal code. */
int moil_client_status(int err);

/* --- the parts, as lua_module.c uses them ----------------------------------------------------- */

/* Enqueues what is valid already; sets created. A status. */
int moil_client_submit(struct moil_client *c, struct submission *subs, size_t count);

/* Jobs that this one waits for, and what is wrong with them: then 0 with one line in why. */
size_t moil_depends_count(const moil_job *job);
int moil_depends_check(const moil_job *job, char *why, size_t len);

/* 0, or MOIL_STATUS_INVALID or _TOO_LARGE with the sentence set, which calls it job i + 1. */
int moil_client_check_job(struct moil_client *c, const moil_job *job, size_t i);

/* Likewise a workflow. *created (may be NULL): as struct graph_call has it; token: room for an id,
 * or NULL. */
int moil_client_submit_graph(struct moil_client *c, const struct graph *graph, bool *created,
                             char *token);

/* One page of the members of a group, as gather.lua gives it; take gets the reply, nil where there
 * is no such group. */
int moil_client_gather(struct moil_client *c, struct slice id, int64_t from, int64_t limit,
                       const char *what, moil_take_fn *take, void *data);

/* What is asked of the beat entries; the answer is appended as JSON text (worker/beat_request.h). A
 * status. */
int moil_client_beat(struct moil_client *c, const struct vm_beat *ask, struct buffer *out);

/* The link that brings messages is there, or not any more: listens for what is waited for. */
void moil_client_listen(struct moil_client *c);
void moil_client_listen_cb(struct ev_loop *loop, ev_timer *w, int events);
void moil_client_refresh_cb(struct ev_loop *loop, ev_timer *w, int events);

/* Waits for the end of a job or, with on_progress, tells custom states. *record: a copy of the R
 * record, owned by the caller. */
int moil_client_await(struct moil_client *c, struct slice id, double timeout_s,
                      int (*on_progress)(void *data, struct slice state, struct slice meta),
                      void *data, struct buffer *record);

#endif
