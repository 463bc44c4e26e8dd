/* What the parts of the blocking client share; the public face is moil.h.
 *
 *   client.c     opening, the loop that makes asynchronous calls blocking, deadlines and errors
 *   enqueue.c    jobs in
 *   graph.c      workflows in
 *   depend.c     jobs that wait for others
 *   wait.c       results out
 *   inspect.c    looking
 *   audit.c      checking
 *   beat.c       entries of the schedule
 *   control.c    commands for nodes
 *   steer.c      revoke, reschedule, purge, pause, the dead set
 *
 * A client has its own libev loop, which runs only inside its calls. lua_module.c uses this header
 * too. */
#ifndef MOIL_API_CLIENT_H
#define MOIL_API_CLIENT_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/moil.h"
#include "queue/broker.h"
#include "queue/graph.h"
#include "queue/inbox.h"
#include "vm/host.h"

enum { MOIL_PAYLOAD_DEFAULT = 1024 * 1024, MOIL_RESULT_TTL_DEFAULT_S = 86400 };

struct moil_client {
    struct url url;
    struct ev_loop *loop;
    struct link *link;
    struct link *waiting; /* BLPOP on the inbox; connected at the first wait */
    struct broker broker;
    struct inbox inbox;
    ev_timer deadline;
    bool expired; /* the deadline of the call under way has passed */
    bool was_up; /* it has been connected once: a lost link is waited for, a wrong address is not */
    bool blocked;      /* BLPOP is under way */
    int refused;       /* the error that it was answered with; 0: none */
    double deadline_s; /* of each call */
    double pause_s;    /* after the next transient error; it grows with each */
    size_t max_payload;
    char errstr[512];
};

/* Handles a good reply of a call; its return value is the call's. The reply is borrowed for the
 * call. */
typedef int moil_take_fn(void *data, const struct reply *reply);

/* Begins a call: clears the error and starts its deadline. seconds < 0: none. */
void moil_client_begin(struct moil_client *c, double seconds);

/* One turn of the loop. */
void moil_client_turn(struct moil_client *c, int flags);

/* Runs the loop until *done or the deadline; true when done. */
bool moil_client_run(struct moil_client *c, const bool *done);

/* Waits until the link is up. 0, or a status with the sentence set. */
int moil_client_connect(struct moil_client *c);

/* Runs a script whose ARGV `fill` adds (again for each attempt: it is repeated after transient
 * errors until the deadline, so it must be harmless twice), and hands the reply to take.
 * moil_client_begin comes first. */
int moil_client_call(struct moil_client *c, enum script_id script,
                     void (*fill)(struct args *a, void *data), moil_take_fn *take, void *data);

/* After a transient error: gives Redis a moment, longer after each, so that a loop of attempts does
 * not spin, and sees to the deadline. */
void moil_client_pause(struct moil_client *c, int err);

/* Sets the sentence of the last failure and returns the status. */
int moil_client_fail(struct moil_client *c, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Why Redis refused, in the words of what to do where we know it. Returns err. */
int moil_client_refused(struct moil_client *c, int err, const struct reply *reply);

/* The public status for an internal code. */
int moil_client_status(int err);

/* --- the parts, as lua_module.c uses them ----------------------------------------------------- */

/* Enqueues what is valid already; sets created. A status. */
int moil_client_submit(struct moil_client *c, struct submission *subs, size_t count);

/* Likewise one that waits for others, which are checked already: depends_on and on_failure of the
 * job that it was made of. */
int moil_client_submit_dependent(struct moil_client *c, struct submission *sub,
                                 const moil_job *job);
size_t moil_depends_count(const moil_job *job);
int moil_depends_check(const moil_job *job, char *why, size_t len); /* 0 with one line in why */

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

/* Waits for the end of a job or, with on_progress, tells custom states. *record: a copy of the R
 * record, owned by the caller. */
int moil_client_await(struct moil_client *c, struct slice id, double timeout_s,
                      int (*on_progress)(void *data, struct slice state, struct slice meta),
                      void *data, struct buffer *record);

#endif
