/* The fields of a job's `extra` that the worker obeys itself; the others are Lua's
 * (docs/protocol.md, "extra"). */
#ifndef MOIL_WORKER_ENVELOPE_H
#define MOIL_WORKER_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/job.h"
#include "base/slice.h"

struct envelope {
    double expires_s;         /* epoch; 0: never */
    double result_ttl_s;      /* < 0: not said; INFINITY: for ever */
    double time_limit_s;      /* 0: not said; < 0: none */
    double soft_time_limit_s; /* likewise */
    int ignore_result;        /* -1: not said */
    bool linked;              /* its result goes to other jobs: it is told whatever is said above */
    char gather[MOIL_NAME_MAX + 1]; /* the group whose results are its first argument; "": none */
    int64_t unregistered_ms; /* epoch: when a worker first met it without its task; 0: none did */
};

/* 0 or MOIL_EBADMSG (no JSON object, or a field of a wrong type). Empty bytes are an envelope that
 * says nothing. */
int moil_envelope_decode(struct slice extra, struct envelope *out);

/* Appends `extra` with unregistered_ms set. */
int moil_envelope_mark_unregistered(struct slice extra, int64_t since_ms, struct buffer *out);

/* Appends `extra` without it; nothing where nothing else was said. 0 or MOIL_ENOMEM. */
int moil_envelope_unmark(struct slice extra, struct buffer *out);

#endif
