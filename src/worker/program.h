/* A child program of a job (moil.run): started without a shell in its own process group, its output
 * collected and bounded, its time limited; the worker's loop goes on meanwhile. */
#ifndef MOIL_WORKER_PROGRAM_H
#define MOIL_WORKER_PROGRAM_H

#include "vm/host.h"

struct ev_loop;
struct program;

struct program_result {
    int code;   /* exit code, or -1 when a signal ended it */
    int signal; /* or 0 */
    struct slice out, err;
    bool timed_out;
    bool truncated; /* it wrote more than max_output and was ended for it */
};

/* Called once, when the program has ended and its output is read. */
typedef void program_cb(void *data, const struct program_result *result);

/* NULL with one line in errstr when it cannot be started. No signal is needed: on libev's default
 * loop, which has SIGCHLD, that is used. */
struct program *moil_program_start(struct ev_loop *loop, const struct vm_spawn *spawn,
                                   program_cb *cb, void *data, char *errstr, size_t errlen);

/* The result as the host's answer to a spawn (vm/host.h). */
void moil_program_answer(struct vm_call *call, const struct program_result *r);

/* Ends it with SIGKILL, without calling back. */
void moil_program_kill(struct program *p);

#endif
