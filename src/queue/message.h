/* Records of the `jobs` hash, text to struct and back. The format's definition is docs/protocol.md.
 *
 *   J1 queue priority retries crashes losses enqueued_us task args_len kwargs_len extra_len \n args
 * kwargs extra R1 state queue priority retries deliveries enqueued_us started_us finished_us
 * expires_min worker task value_len body_len \n value body
 *
 * Behind the J record of a job whose process was killed stands a verdict: the error, as JSON text.
 * The worker that gets it runs retry policy and hooks with it instead of the function.
 *
 * Header fields are separated by one space, absent ones are "-" (text) or 0 (numbers). A J record
 * is a job that has not ended; an R record is one that has, with its result (SUCCESS) or error
 * (else) as JSON text, and, for jobs in the dead set, the J record it had, for replay. Pure
 * functions; no Redis, no Lua, no allocation but the buffer's. */
#ifndef MOIL_QUEUE_MESSAGE_H
#define MOIL_QUEUE_MESSAGE_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/job.h"

/* Appends the J record of a job (its id is not part of it). */
void moil_message_encode(const struct job *job, struct buffer *out);

/* Fills *job with slices into `record`; job->id is left alone. 0 or MOIL_EBADMSG (then *job is
 * untouched). */
int moil_message_decode(struct slice record, struct job *job);

/* The header line alone ("J1 … \n"): the payload slices are left absent. 0 or MOIL_EBADMSG. */
int moil_message_decode_header(struct slice line, struct job *job);

/* The queue that a record names, even a damaged one, as Redis's scripts read it: jobs are counted
 * under it. Empty when it names none. */
struct slice moil_message_queue(struct slice record);

struct outcome_record {
    struct slice state; /* SUCCESS, FAILURE or REVOKED */
    struct slice queue;
    struct slice task;
    struct slice worker;
    struct slice value; /* JSON text: the result, or the error object */
    struct slice body;  /* the J record, for dead jobs; else empty */
    int priority;
    uint32_t retries;
    uint32_t deliveries;
    int64_t enqueued_us;
    int64_t started_us; /* 0: never started */
    int64_t finished_us;
    int64_t expires_min; /* minutes since the epoch; 0: kept until deleted */
};

void moil_outcome_encode(const struct outcome_record *o, struct buffer *out);
int moil_outcome_decode(struct slice record, struct outcome_record *out); /* 0 or MOIL_EBADMSG */

/* The header line alone, whatever follows it: value and body are left absent. 0 or MOIL_EBADMSG. */
int moil_outcome_decode_header(struct slice record, struct outcome_record *out);

/* A note of the `running` hash: "state worker started_us\n" and the meta data. */
struct note {
    struct slice state; /* STARTED, or a state of the task's own */
    struct slice worker;
    int64_t started_us;
    struct slice meta; /* JSON text, or empty */
};

int moil_note_decode(struct slice text, struct note *out); /* 0 or MOIL_EBADMSG */

/* True for an R record: the job has ended. */
static inline bool moil_record_is_outcome(struct slice record)
{
    return record.n > 3 && record.p[0] == 'R' && record.p[1] == '1' && record.p[2] == ' ';
}

#endif
