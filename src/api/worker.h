/* The inside of moil_worker: what its files share.
 *
 *   worker.c          its life: generations, agent, callbacks
 *   worker_options.c  the options: copied, checked, with their defaults; who it says it is */
#ifndef MOIL_API_WORKER_H
#define MOIL_API_WORKER_H

#include <ev.h>
#include <stdbool.h>

#include "api/moil.h"
#include "base/buffer.h"
#include "conf/url.h"
#include "worker/agent.h"
#include "worker/worker.h"

enum { GENERATIONS_MAX = 5 }; /* the newest, and four that end what they run */

/* One loading of the task files, and what serves with it. */
struct generation {
    moil_worker *host;
    int slot;   /* of its page */
    bool ready; /* it serves, or did */
    bool done;  /* it is to be freed */
    struct worker worker;
};

struct moil_worker {
    struct ev_loop *loop;
    moil_worker_options options; /* defaults filled in; strings are ours */
    char **owned;                /* … namely these, NULL-terminated */
    const char **paths;          /* likewise */
    struct url url;
    char node[256];
    char node_id[300];
    struct generation *generations[GENERATIONS_MAX];
    struct generation *newest; /* of these; NULL when it has gone */
    struct page *pages;        /* one for each */
    unsigned loaded, reported; /* how many generations there were; when `report` was written */
    struct agent agent;
    struct buffer report;
    double started_at;
    ev_timer turn;     /* never active: fed with events */
    ev_timer patience; /* of a cold stop */
    bool has_agent, agent_leaves, agent_is_gone;
    bool quiet, stopping, told_ready, told_stopped;
    bool closes; /* as soon as none of its tasks in C is on the stack, or just now */
    void (*on_stopped)(void *data);
    void *stopped_data;
};

/* Copies the options, fills in the defaults, finds Redis and makes a node's id. 0 or a negative
 * code with one line in errstr; free them in either case. */
int moil_host_take_options(moil_worker *h, const moil_worker_options *options, char *errstr,
                           size_t errlen);
void moil_host_free_options(moil_worker *h);

/* The same for a worker of worker/, but its page and callbacks. */
void moil_host_worker_options(const moil_worker *h, struct worker_options *out);

/* What the agent reports of this node (agent.h), of its newest generation. */
void moil_host_write_report(moil_worker *h);

#endif
