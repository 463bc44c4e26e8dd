/* What the Lua side asks of whoever holds it: the border between vm/ and the world.
 *
 * vm/ knows no queue, no Redis and no event loop. It calls these functions; worker/host.c
 * implements them on the worker's loop (they answer VM_WAIT and resume the run later),
 * api/lua_module.c for a plain Lua program (they block and answer VM_READY). An answer is a list of
 * plain values put into the call; Lua reads them when it goes on. */
#ifndef MOIL_VM_HOST_H
#define MOIL_VM_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/graph.h"
#include "base/job.h"
#include "base/log.h"
#include "base/slice.h"

struct run;
struct vm_call;

enum vm_answer {
    VM_READY, /* the answer is in the call already */
    VM_WAIT,  /* it will be put there later, followed by moil_run_resume */
};

enum vm_query {
    VM_INSPECT,    /* answers the JSON text of CONTRACT's `--json` of a job */
    VM_REVOKE,     /* answers the job's state afterwards */
    VM_RESCHEDULE, /* likewise */
    VM_FORGET,     /* answers true when a result was dropped */
    VM_DELETE,     /* answers true when the job was removed */
};

struct vm_question {
    enum vm_query query;
    struct slice id;
    bool terminate;        /* VM_REVOKE: end it where it runs */
    double countdown, eta; /* VM_RESCHEDULE: seconds from now; seconds since the epoch, 0: none */
};

struct vm_wait {
    struct slice id;
    double timeout_s;  /* < 0: no deadline */
    bool progress;     /* answer custom states too, when they differ from the one seen */
    struct slice seen; /* the third value of the last progress answer; absent: none was seen */
};

/* A page of the members of a group: answers total, open, then id, state, value of each. */
struct vm_page {
    struct slice id;
    int64_t from, limit;
    bool values; /* with their results; else "" */
};

struct vm_spawn {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH; no shell */
    struct slice input;      /* for its stdin */
    double timeout_s;        /* then SIGTERM to its process group, and SIGKILL 1 s later */
    size_t max_output;       /* bytes kept of stdout and of stderr, each; more ends it */
    const char *cwd;         /* NULL: unchanged */
};

/* The work of a task in C. */
struct vm_native {
    const void *task;    /* vm_native_task's */
    struct slice args;   /* JSON array; borrowed until the answer, as kwargs */
    struct slice kwargs; /* JSON object, or empty */
};

enum vm_beat_verb {
    VM_BEAT_PUT,
    VM_BEAT_REMOVE,
    VM_BEAT_PAUSE,
    VM_BEAT_LIST,
    VM_BEAT_HISTORY,
    VM_BEAT_NEXT,
};

/* What is asked of the beat entries (worker/beat_request.h). */
struct vm_beat {
    enum vm_beat_verb verb;
    struct slice name;   /* of list: that one; empty: all. Of history: its ticks; empty: all */
    struct slice text;   /* put, next: the entry, a JSON object. list: the cursor, "0" at first */
    struct slice expect; /* put: "*" anything, "" nothing may be there, or a version */
    bool flag; /* put: it begins with its first due time, however long ago, and where anything may
                  be there its runs are counted anew; remove: of run time alone; pause: paused, else
                  resumed */
    double from_s; /* next: after that time, since the epoch; < 0: now */
    int64_t limit; /* next, history: how many */
};

enum vm_control_verb {
    VM_CONTROL_ASK,    /* request, nodes, ms, command, arguments: the ids of the nodes */
    VM_CONTROL_HEAR,   /* request, how many answers are known: the next ones */
    VM_CONTROL_LIMIT,  /* task, limit, soft limit: the version */
    VM_CONTROL_LIMITS, /* the version, then task and limits of each */
};

enum { VM_CONTROL_ARGS_MAX = 5 };

/* One script of commands for nodes (docs/protocol.md). */
struct vm_control {
    enum vm_control_verb verb;
    struct slice args[VM_CONTROL_ARGS_MAX];
    size_t count;
};

struct vm_host {
    void *data;         /* first argument of each function */
    size_t max_payload; /* bytes of one job's arguments and options, and of one result; 0: 1 MB */

    /* Answers one boolean per submission: created or not. The submissions are borrowed until the
     * answer. */
    enum vm_answer (*enqueue)(void *data, struct vm_call *call, struct submission *subs,
                              size_t count);
    /* Answers created or not; of GRAPH_STAGE the token; of GRAPH_EXTEND whether the group had not
     * ended. Borrowed as above. */
    enum vm_answer (*submit_graph)(void *data, struct vm_call *call, const struct graph *graph);
    /* Answers as its view says. */
    enum vm_answer (*page)(void *data, struct vm_call *call, const struct vm_page *page);
    /* Answers state, value: a final state with its JSON text; or state, value, seen: a progress
     * state with its JSON text (may be empty) and what tells it from later ones; or fails. */
    enum vm_answer (*wait)(void *data, struct vm_call *call, const struct vm_wait *wait);
    enum vm_answer (*query)(void *data, struct vm_call *call, const struct vm_question *question);
    enum vm_answer (*sleep)(void *data, struct vm_call *call, double seconds);
    /* Answers one JSON text. */
    enum vm_answer (*beat)(void *data, struct vm_call *call, const struct vm_beat *ask);
    /* Answers the script's reply: its elements, or, where it is one text or number, that. */
    enum vm_answer (*control)(void *data, struct vm_call *call, const struct vm_control *ask);
    /* Answers exit code (or nil), signal (or nil), stdout, stderr, timed_out, truncated. */
    enum vm_answer (*spawn)(void *data, struct vm_call *call, const struct vm_spawn *spawn);
    /* Answers one JSON text, the result; or how it ended otherwise: "failure", "retry", "reject" or
     * "ignore", code, message, and the milliseconds until a retry or nil. NULL: there are no such
     * tasks. */
    enum vm_answer (*native)(void *data, struct vm_call *call, const struct vm_native *ask);
    /* For the job now running: its state and meta (JSON text). Answers nothing. */
    enum vm_answer (*update_state)(void *data, struct vm_call *call, struct slice state,
                                   struct slice meta);
    /* moil.connect in a plain program; a worker refuses it. Answers nothing. */
    /* The job now running may be on the CPU until then (monotonic; 0: for ever): its hooks got time
     * of their own. NULL: nobody watches. */
    void (*deadline)(void *data, int64_t hard_us);
    enum vm_answer (*connect)(void *data, struct vm_call *call, struct slice url);
    /* The queues that the worker serves etc. are not the vm's business; logging goes straight to
     * base/log. */
};

/* --- for hosts: filling in an answer ---------------------------------------------------------- */

/* The run that made the call; NULL in a plain Lua program. */
struct run *moil_call_run(struct vm_call *call);

void moil_call_add_nil(struct vm_call *call);
void moil_call_add_bool(struct vm_call *call, bool v);
void moil_call_add_int(struct vm_call *call, int64_t v);
void moil_call_add_string(struct vm_call *call, struct slice s); /* copied */

/* The call fails: Lua raises {code, message}. `code` is a code that users see, as of
 * moil_error_code. */
void moil_call_fail(struct vm_call *call, const char *code, const char *message);

#endif
