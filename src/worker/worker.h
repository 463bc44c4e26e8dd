/* One worker: the place where queue meets vm (ARCHITECTURE 1 and 8). This header is what its parts
 * share.
 *
 *   worker.c    life: start, quiet, stop; the turn of the loop
 *   burst.c     when a worker of --burst may end
 *   dispute.c   reserved jobs that the agent took from it
 *   fetcher.c   how many jobs to ask for, when, and the wake-ups
 *   delivery.c  one fetched job from its bytes to its run
 *   gatherer.c  the results of a group, for the job that gets them
 *   verdict.c   what becomes of a job that ended
 *   drain.c     what a stopping worker does with jobs that have not started
 *   settler.c   verdicts to Redis, in batches, until they are acknowledged
 *   host.c      what the Lua side asks for (vm/host.h); host_graph.c: of workflows
 *   order.c     control commands, and time limits set at run time
 *   slicer.c    the timer that ends a job's turn
 *   lifetime.c  when the process has served long enough
 *   counter.c   what it counts of its runs
 *   program.c   child programs of moil.run
 *   native.c    tasks in C of the program that embeds moil
 *   vitals.c    what the shared page tells of it
 *
 * One turn of the loop (worker.c, turn_cb) settles, fetches and starts; the callbacks only change
 * what it sees. api/ makes one per worker process (and, later, on a host's own loop). Nothing here
 * forks workers or prints. */
#ifndef MOIL_WORKER_WORKER_H
#define MOIL_WORKER_WORKER_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "conf/url.h"
#include "queue/broker.h"
#include "queue/inbox.h"
#include "vm/vm.h"
#include "worker/burst.h"
#include "worker/counter.h"
#include "worker/dispute.h"
#include "worker/fetcher.h"
#include "worker/lifetime.h"
#include "worker/order.h"
#include "worker/page.h"
#include "worker/queues.h"
#include "worker/settler.h"

/* How a job on the CPU is made to notice its slice and limits. */
enum worker_limits {
    WORKER_LIMITS_SIGNAL, /* slicer.h */
    WORKER_LIMITS_HOOK,   /* vm.h, VM_LIMITS_HOOK */
    WORKER_LIMITS_NONE,
};

struct moil_tasks;

struct worker_options {
    const struct url *url;
    const char *ns;
    const char *const *paths;        /* task files and folders, NULL-terminated … */
    const struct snapshot *snapshot; /* … or what they were (vm/snapshot.h), borrowed; else NULL */
    const char *queues;              /* NULL: default, and those that the tasks name */
    const char *node;                /* the node's name */
    const char *lua_dir;             /* NULL: the embedded library */
    struct slice config_json;        /* for Lua, or empty */
    int concurrency;
    double time_limit_s;      /* 0: none */
    double soft_time_limit_s; /* 0: none */
    size_t memory_limit;      /* bytes, of a job; 0: none */
    size_t max_memory;        /* bytes, resident: the worker is replaced past it; 0: no bound */
    size_t state_memory;      /* bytes that the Lua state may hold; 0: no bound of its own */
    unsigned long max_tasks;  /* jobs after which it is replaced; 0: no bound */
    double result_ttl_s;
    size_t max_payload;
    struct moil_tasks *tasks; /* in C; NULL: none */
    enum worker_limits limits;
    bool shares_loop;    /* with who knows what: it takes its turns whatever goes on there */
    bool burst;          /* stop when the queues are empty and nothing runs */
    bool quiet;          /* begin as after moil_worker_set_quiet */
    struct page *page;   /* shared with the supervisor */
    struct tally *tally; /* of the node: what runs is counted there; NULL: nowhere … */
    int slot;            /* … in the shard of this slot */
    void (*on_ready)(void *data); /* it serves its queues; NULL: nobody asks */
    void (*on_done)(void *data);  /* it has left; it is not to be freed from here */
    void *data;
};

enum worker_state {
    WORKER_JOINING, /* not registered yet */
    WORKER_SERVING,
    WORKER_QUIET,    /* takes nothing new, until told to go on */
    WORKER_STOPPING, /* takes nothing new and ends when nothing runs */
    WORKER_LEAVING,  /* everything is settled: takes its incarnation off */
    WORKER_DONE,
};

struct delivery;

struct worker {
    struct worker_options options;
    struct ev_loop *loop;
    enum worker_state state;
    bool quiet;          /* was told to be; also while it joins */
    bool cold;           /* running jobs go back too */
    bool leaves_unheard; /* Redis was away as it wanted to leave: it goes after a second */
    int64_t stopped_us;  /* monotonic; when it was told to stop */
    char incarnation[MOIL_ID_LEN + 1];
    struct vm *vm;
    struct link *link;    /* never blocks */
    struct link *waiting; /* may block in BLPOP */
    struct broker broker; /* on link */
    unsigned links;       /* how many times the link came up */
    struct inbox inbox;
    struct fetcher fetcher;
    struct burst burst;
    struct dispute dispute;
    struct settler settler;
    struct lifetime lifetime;
    struct orders orders;
    struct counter counter;
    struct queue_set queues;
    struct delivery *reserved; /* fetched, not started; the next first (utlist) */
    struct delivery *running;  /* started, not ended; the oldest first */
    struct delivery *ready;    /* of these, those whose turn was over; the next first */
    struct delivery *alone;    /* the one of a blocking task; NULL: none runs */
    unsigned reserved_count;
    unsigned running_count;
    unsigned in_native;  /* functions of tasks in C that have not returned */
    unsigned suspended;  /* of these, those that wait for another job's result and hold no slot */
    double average_s;    /* moving average of a job's wall time, start to end; 0: no history */
    int64_t ended_us;    /* monotonic; when the last job ended */
    struct buffer text;  /* scratch for records … */
    struct buffer error; /* … and for error objects */
    ev_prepare turn;
    ev_idle busy;          /* active while there is something to start */
    ev_timer breath;       /* ends the pause that Redis gets between two slices */
    int64_t breath_end_us; /* monotonic */
    ev_timer refresh;      /* the inbox's */
    ev_timer notes;        /* marks jobs that run for long as STARTED */
    ev_timer retry;        /* joining, leaving and settling again after an error */
    char errstr[512];
};

/* Loads the tasks; does not connect yet. 0, or a negative code with one line in w->errstr. The loop
 * is borrowed. */
int moil_worker_init(struct worker *w, struct ev_loop *loop, const struct worker_options *options);
void moil_worker_fini(struct worker *w);

/* The queues that a spec names; NULL: `default` and every queue that the vm's tasks name. As
 * moil_queues_parse. */
int moil_worker_queues(struct vm *vm, const char *spec, struct queue_set *set, char *errstr,
                       size_t errlen);

/* Connects and serves until moil_worker_drain; `ready` in the page is set when it serves its
 * queues.
 */
void moil_worker_start(struct worker *w);
void moil_worker_set_quiet(struct worker *w, bool quiet);

/* Warm: unstarted jobs go back, running ones end. Cold: running ones are closed and go back too.
 * May be called again to turn warm into cold. The state becomes WORKER_DONE, and on_done is
 * called, when all is settled. */
void moil_worker_drain(struct worker *w, bool cold);

/* One line for the log: state and counts. */
void moil_worker_describe(const struct worker *w, struct buffer *out);

/* For the parts: when the supervisor may kill this process for the job on its CPU; 0: never. */
void moil_worker_publish_deadline(struct worker *w, int64_t hard_us);

/* For worker.c: counts, times and what is waited for, to the page (vitals.c). */
void moil_vitals_publish(struct worker *w);

/* For the parts: starts what can be started, for at most a millisecond and a batch. */
void moil_worker_start_jobs(struct worker *w);

/* For the parts: the next reserved job cannot start for as long as others run, as it or one of them
 * is a blocking one. */
bool moil_worker_is_in_the_way(const struct worker *w);

/* For the parts: this incarnation was taken off. Its jobs are closed without a word and a new
 * incarnation joins. */
void moil_worker_fenced(struct worker *w);

/* Jobs that hold a slot. */
static inline unsigned moil_worker_active(const struct worker *w)
{
    return w->running_count - w->suspended;
}

#endif
