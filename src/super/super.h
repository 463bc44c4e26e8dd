/* The supervisor: forks, watches, restarts and stops the processes of one node (ARCHITECTURE 3).
 *
 * Plain poll and a self-pipe: no libev, no Lua, no Redis here. What a child does is a function that the caller hands
 * over (api/runtime.c does), so that this layer knows only roles, pipes, pages and pids. Children leave by _exit. */
#ifndef MOIL_SUPER_SUPER_H
#define MOIL_SUPER_SUPER_H

#include <stdbool.h>
#include <stddef.h>

#include "worker/page.h"

enum role { ROLE_CHECK, ROLE_AGENT, ROLE_WORKER };

/* What a child is told. */
struct child_context {
    enum role role;
    int slot;              /* 0 … workers-1; 0 for the others */
    int generation;        /* counts reloads, from 1 */
    struct page *page;     /* this worker's own; NULL for the others */
    struct page *pages;    /* the agent's view: pages of all slots */
    int page_count;
    int ready_fd;          /* the child writes one byte when it is ready; the check child writes its plain-data result */
    int word_fd;           /* the agent reads here what the supervisor says of deaths (one line each); -1 for the others */
    void *data;            /* super_options.data */
};

struct super_options {
    int workers;
    int shutdown_timeout_ms;   /* warm shutdown: then the children are killed */
    const char *pidfile;       /* NULL: none */
    bool (*burst_done)(void *data); /* unused unless burst */
    bool burst;                /* a worker that exits with 0 is not started again; all gone: done */
    const char *embedded_dir;  /* not NULL: run and watch a private redis-server in this folder */
    const char *ready_line;    /* logged when every child is ready */
    /* Runs a role in the child process; its return value is the exit status. */
    int (*child)(struct child_context *context);
    void *data;
};

/* Runs until told to stop; the exit status of the program (see CONTRACT). Main thread only, before other threads. */
int moil_super_run(const struct super_options *options);

#endif
