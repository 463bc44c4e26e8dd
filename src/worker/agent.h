/* The agent of a node: its heartbeat, due jobs, sweeping. One process per node, moil's own code
 * only.
 *
 *   heartbeat.c  the node's lease and its report
 *   promoter.c   delayed jobs that are due
 *   advancer.c   what is left to do of workflows
 *   sweeper.c    results past their time, the dead set's bounds
 *   recoverer.c  the jobs of workers that died, and of nodes that vanished
 *   reliever.c   what a stuck worker has reserved
 *   watchdog.c   how the node's workers do
 *   redis_check.c  a look at the server's INFO, with warnings
 *   control.c    commands that people send to nodes
 *   endpoint.c   what it answers over HTTP (endpoint.h)
 *   scheduler.c  beat: the entries of a beat file, and those added at run time
 *
 * Each part is given the agent and starts anew with each connection, but the watchdog, which needs
 * none. */
#ifndef MOIL_WORKER_AGENT_H
#define MOIL_WORKER_AGENT_H

#include <ev.h>
#include <stdbool.h>

#include "base/id.h"
#include "conf/url.h"
#include "queue/broker.h"
#include "worker/health.h"
#include "worker/page.h"

struct agent_options {
    const struct url *url;
    const char *ns;
    const char *node; /* its name: what people see */
    double lease_s;   /* after this long without a heartbeat a node is gone (queue/lease.h) */
    /* JSON members of the node's report, without braces: who it is, and what it serves by now.
     * Borrowed until the next call. */
    struct slice (*report)(void *data);
    struct page *(*page_at)(void *data, int slot); /* of the worker slots below slots() */
    int (*slots)(void *data);
    struct pulse *pulse; /* a sign of life for the supervisor; NULL: nobody minds */
    int word_fd; /* what the supervisor says of deaths (super/child.h), non-blocking; -1: nobody
                    says anything */
    /* Asks the supervisor for something, one line (super/order.h); what comes of it is a word.
     * False: it could not be said. NULL: there is no supervisor. */
    bool (*order)(void *data, const char *line);
    bool (*is_quiet)(void *data); /* the node takes nothing new; NULL: that is never so */
    bool alone;                   /* the node has no workers, ever */
    bool heartbeat_only;
    struct tally *tally; /* what the node has counted; NULL: nobody counts, and nothing is served */
    int http_fd;         /* listens; only with a tally */
    int (*generation)(void *data); /* which one serves; 0: not known yet */
    const char *version;           /* moil's */
    void (*on_ready)(void *data);
    void (*on_gone)(void *data); /* it has left; it is not to be freed from here */
    void *data;
};

struct lease_seen;
struct watch;
struct recovery;
struct scheduler;
struct endpoint;

struct agent {
    struct agent_options options;
    struct ev_loop *loop;
    struct link *link;    /* never blocks */
    struct link *waiting; /* BLPOP on the tick list */
    struct broker broker;
    bool ready;
    bool stopping;
    bool looking; /* for the last time, before it leaves */
    bool leaving; /* it has said good-bye: a heartbeat behind that would bring the node back */
    ev_timer heartbeat;
    ev_timer promote; /* when the next delayed job is due */
    ev_timer sweep;
    ev_timer watchdog;
    struct scheduler *scheduler;
    struct control *control;
    struct endpoint *endpoint; /* HTTP; NULL: it serves none */
    bool promoting;            /* a promote script is under way … */
    int64_t promote_us;        /* … since then (monotonic) */
    bool promote_again;        /* … and a token came meanwhile */
    bool advancing;            /* an advance script is under way */
    bool promote_few;          /* workers take themselves what is due */
    int promote_turn;          /* of the calls in a row that find more due than they move … */
    int promote_burst;         /* … of which there are so many before it looks whether they do */
    int64_t promote_left;      /* delayed jobs after the last one, where more were due */
    ev_io words;
    ev_timer leases;             /* looks at the other nodes' leases */
    struct buffer word;          /* the part of a line that has come */
    struct recovery *recoveries; /* under way */
    struct lease_seen *seen;
    ev_timer pulse;        /* writes it */
    ev_timer relief;       /* looks at the workers' pages */
    struct watch *watches; /* one for each slot seen so far */
    int watch_count;
    int64_t looked_us;   /* monotonic; at the pages */
    int64_t up_since_us; /* monotonic; of the link; 0: it is down */
    unsigned links;      /* how many times it came up */
    struct buffer text;
};

/* 0 or a negative code. The loop is borrowed. */
int moil_agent_init(struct agent *a, struct ev_loop *loop, const struct agent_options *options);
void moil_agent_fini(struct agent *a);
void moil_agent_start(struct agent *a);

/* Takes the node off Redis, and calls on_gone; where Redis is away, after one try to reach it. */
void moil_agent_stop(struct agent *a);

/* --- its parts -------------------------------------------------------------------------------- */

void moil_heartbeat_start(struct agent *a); /* also after each reconnect */
void moil_heartbeat_renew(struct agent *a); /* the node has changed: its report is told soon */
void moil_heartbeat_report(struct agent *a, struct buffer *text); /* how the node does, as JSON */
int moil_control_init(struct agent *a);                           /* 0 or MOIL_ENOMEM */
void moil_control_fini(struct agent *a);
void moil_control_start(struct agent *a);
/* A message of the list of `control`. */
void moil_control_take(struct agent *a, struct slice message);
/* The supervisor's word on an order. */
void moil_control_answer(struct agent *a, const char *request, bool is_ok, const char *text);
/* What a promotion told: the version of the time limits set at run time. */
void moil_control_see_limits(struct agent *a, int64_t version);
void moil_promoter_start(struct agent *a);
void moil_advancer_run(struct agent *a); /* until nothing is left */
void moil_sweeper_start(struct agent *a);
void moil_recoverer_start(struct agent *a);
void moil_recoverer_fini(struct agent *a);
/* Before the node goes: takes what the supervisor has said by now, and looks for workers that went
 * while Redis was away. */
void moil_recoverer_finish(struct agent *a);
void moil_reliever_start(struct agent *a);
void moil_reliever_fini(struct agent *a);
void moil_agent_leave_if_free(struct agent *a); /* for the recoverer: a recovery has ended */
void moil_watchdog_start(struct agent *a);      /* once, with the agent */
void moil_redis_check(struct agent *a);         /* once: asks INFO, and warns of what it sees */
int moil_scheduler_init(struct agent *a);       /* 0 or MOIL_ENOMEM */
void moil_scheduler_fini(struct agent *a);
void moil_scheduler_start(struct agent *a);
void moil_scheduler_stop(struct agent *a); /* also when the link is down */
/* What a reply to what was sent then (monotonic) told: Redis's time, and the version of the entries
 * that were added. */
void moil_scheduler_hear(struct agent *a, int64_t sent_us, int64_t redis_us, int64_t version);
/* JSON texts: the beat file's entries (beat/config.h), and the plain data of the config file;
 * empty: there is none. */
void moil_scheduler_set_file(struct agent *a, struct slice schedule, struct slice config);

enum { MOIL_HEALTH_WHY = 96 };

/* What the page says that its worker waits for. */
struct health_facts moil_watchdog_facts(const struct page *p);

/* How the worker of a page does, now. */
enum health moil_watchdog_judge(struct page *p, char *why, size_t size);

#endif
