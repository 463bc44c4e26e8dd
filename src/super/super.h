/* The supervisor: forks, watches, restarts and stops the processes of one node (ARCHITECTURE 3).
 *
 * Plain poll and a self-pipe: no libev, no Lua, no Redis here. What a child does is a function that
 * the caller hands over (api/runtime.c does), so that this layer knows only roles, pipes, pages and
 * pids. Children leave by _exit. */
#ifndef MOIL_SUPER_SUPER_H
#define MOIL_SUPER_SUPER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "worker/page.h"
#include "worker/tally.h"

enum role { ROLE_CHECK, ROLE_AGENT, ROLE_WORKER };

enum {
    SUPER_WORKERS_MAX = 256,   /* of one generation */
    SUPER_GENERATIONS_MAX = 6, /* one serves, one starts, four drain */
    SUPER_SLOTS_MAX = SUPER_WORKERS_MAX * SUPER_GENERATIONS_MAX,
    SUPER_RESULT_MAX = 16 << 20, /* bytes of the check child's result */
};

/* What the check child tells the supervisor of the generation to be. */
struct plan {
    int workers;             /* 1 … SUPER_WORKERS_MAX; 0 where the agent is alone */
    int shutdown_timeout_ms; /* warm shutdown: then the workers are killed */
    int tasks;               /* for the log */
    int log_level;           /* enum log_level; -1: as it is */
    char loading[256];       /* the file that it loads now; "": none */
    char why[512];           /* what it has found wrong, one line; "": nothing yet */
};

/* What a child is told. It lives as long as the child.
 *
 * A child starts with every signal at its default action and none blocked, in a process group of
 * its own, its log role set ("worker 1" is slot 0), and dies with the supervisor. It installs its
 * handlers before it writes its ready byte: only a ready child is sent anything but SIGTERM and
 * SIGKILL. What it is sent then:
 *
 *   SIGTERM  warm: take nothing new, finish what runs, exit 0
 *   SIGQUIT  cold: give the jobs back within 5 s, exit 0
 *   SIGTSTP  quiet: take nothing new
 *   SIGCONT  quiet ends
 *   SIGUSR1  reopen the log, dump the state
 *
 * Its exit status: 0 it left as it was told (a worker: or recycled itself, or has no more to do in
 * a burst). Before all were ready for the first time, 2 (the configuration is wrong, or the tasks
 * cannot be loaded) and 3 (trying Redis again is of no use) stop the node with that status. All
 * else is a death, and it is started again after a growing delay. */
struct child_context {
    enum role role;
    int slot;          /* 0 … SUPER_SLOTS_MAX - 1; 0 for the others */
    int generation;    /* counts reloads, from 1: which one the check or the worker belongs to */
    struct page *page; /* this worker's own, all zero but for `generation` and `hold`; else NULL */
    struct board *board; /* the memory of all: see below */
    int ready_fd;        /* one byte when it is ready; the check child's result goes here */
    struct pulse *pulse; /* the agent's: it writes it, or is killed; NULL for the others */
    int word_fd;         /* the agent's: words of the supervisor (child.h), non-blocking; else -1 */
    int order_fd; /* the agent's: asks the supervisor for things (order.h), non-blocking; else -1 */
    int snapshot_fd;   /* the check child fills this file, and later all workers of its generation
                          find it here, sealed; the agent: -1 */
    bool quiet;        /* a worker's: it begins as after SIGTSTP */
    struct plan *plan; /* the check child's: filled in by the caller, it says what differs */
    void *data;        /* super_options.data */
};

/* The check child's result is the bytes for the agent, a NUL, and, each with a NUL behind it, the
 * paths to watch: "F" and a file, or "D" and a folder with all that is below it. */

/* The page of a slot below moil_context_slots. Its worker may be gone: then `ready` is 0. */
struct page *moil_context_page(const struct child_context *context, int slot);

/* How many slots have been used so far: SIGTTIN and reloads add some while the agent runs. Pages
 * past them should not be touched, since reading one makes it resident. */
int moil_context_slots(const struct child_context *context);

/* What the check child of the serving generation wrote for the agent: replaces *out and *generation
 * when it is of another generation than that; else false. */
bool moil_context_report(const struct child_context *context, struct buffer *out, int *generation);

struct super_options {
    struct plan plan;         /* of the first generation, unless its check says otherwise */
    int agent_silence_ms;     /* an agent that gives no sign for so long is killed; 0: never */
    int load_ms;              /* so is a worker that loads its tasks for so long; 0: never */
    const char *pidfile;      /* NULL: none */
    bool burst;               /* a worker that exits with 0 is not started again, unless it has
                                 retired; all gone: done */
    bool alone;               /* the agent alone: no workers, ever */
    bool watch;               /* reload when one of the paths changes that the last check named */
    const char *embedded_dir; /* not NULL: run and watch a private redis-server in this folder */
    struct tally *tally;      /* of what befalls the children; NULL: nobody counts */
    int agent_fd;             /* passed on to each agent, closed in the others; -1: none */
    const char *ready_line;   /* logged behind "ready: 2 workers", when all are; NULL: nothing */
    /* Runs a role in the child process; its return value is the exit status. */
    int (*child)(struct child_context *context);
    void *data;
};

/* Runs until told to stop; the exit status of the program (see CONTRACT). Main thread only, before
 * other threads. It reaps every child of the process. Signal dispositions are as before when it
 * returns. */
int moil_super_run(const struct super_options *options);

#endif
