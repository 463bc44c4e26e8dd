/* What the processes of a runtime do, one function per role; runtime.c hands them to the
 * supervisor.
 *
 *   check_role.c   loads everything once, and says what is there
 *   check_beat.c   … and the beat file
 *   worker_role.c  a worker on the default loop, with its signals
 *   agent_role.c   the agent on the default loop, with its signals
 *   role.c         what these two share */
#ifndef MOIL_API_ROLES_H
#define MOIL_API_ROLES_H

#include <ev.h>

#include "api/moil.h"
#include "base/buffer.h"
#include "conf/url.h"
#include "super/super.h"

enum {
    MOIL_CONCURRENCY_DEFAULT = 16,
    MOIL_EXIT_USAGE = 2,
    MOIL_EXIT_NO_REDIS = 3,
    MOIL_EXIT_CHECK = 6,
    MOIL_EXIT_NO_MEMORY = 71, /* of a child only: it is started again (71: sysexits' EX_OSERR) */
};

/* Of the whole runtime, made before the first fork; the children only read it. */
struct runtime {
    moil_runtime_options options; /* defaults filled in; in a child, those of its generation */
    struct url url;               /* of the server, or of the embedded one's socket in a child */
    char node[256];               /* its name */
    char node_id[300];            /* the name, and what tells this run from others under it */
    struct tally *tally;          /* what the node counts; NULL without options.http */
    int http_fd;                  /* listens for the agents; -1: none */
};

struct vm;

/* What loading everything has found. */
struct check_result {
    /* {"tasks": […], "queues": […], "concurrency": N, "config": {…}}, with a beat file also
     * "beat": {…} and "warnings": […] */
    struct buffer json;
    struct buffer *draft; /* of the snapshot (vm/snapshot.h); NULL: none is wanted */
    char *loading;        /* vm_options */
    int tasks;
    /* Hears what is odd, but no error, one line each; NULL: nobody. */
    void (*warn)(const char *line);
};

/* Loads the tasks as a worker would; the caller inits json. 0, or a negative code with one line in
 * errstr. */
int moil_check_load(const struct runtime *r, struct check_result *out, char *errstr, size_t errlen);

/* Of the check: evaluates the beat file, and appends its members of the result, each with a comma
 * behind it; nothing where it need not be there, and is not. vm: NULL when no tasks are loaded. As
 * moil_check_load. */
int moil_check_beat(const struct runtime *r, struct vm *vm, struct check_result *out, char *errstr,
                    size_t errlen);

/* Begins a process with an event loop: its name (at most 15 bytes), no SIGPIPE, random numbers of
 * its own, and where Redis is. 0, or the exit status, with the reason logged. */
int moil_role_begin(const struct runtime *r, const char *title, struct url *url);

/* Its signals as events of the loop, until the process ends. `numbers` ends with 0. */
struct role_signals {
    ev_signal watchers[5];
};
typedef void role_signal_cb(struct ev_loop *loop, ev_signal *watcher, int events);
void moil_role_watch(struct ev_loop *loop, struct role_signals *s, const int *numbers,
                     role_signal_cb *cb, void *data);

void moil_role_ready(const struct child_context *context);

/* Each returns the child's exit status. */
int moil_check_role(struct child_context *context);
int moil_worker_role(struct child_context *context);
int moil_agent_role(struct child_context *context);

#endif
