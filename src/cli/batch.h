/* Jobs of one command, collected and enqueued in bulk. Used by `moil call`. */
#ifndef MOIL_CLI_BATCH_H
#define MOIL_CLI_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "api/moil.h"
#include "base/buffer.h"

enum {
    BATCH_JOBS = 1000,
    BATCH_BYTES = 8 << 20, /* of arguments: then it is sent, however few jobs it holds */
};

struct batch {
    moil_client *client;
    moil_job model;     /* what all jobs share; borrowed */
    bool print_ids;     /* each on a line of stdout … */
    bool json;          /* … as {"id", "created"} */
    bool keep_ids;      /* for moil_batch_id */
    struct buffer args; /* NUL-terminated texts of the jobs that were not sent yet */
    size_t starts[BATCH_JOBS];
    size_t count;      /* jobs that were not sent yet */
    size_t accepted;   /* jobs that Redis acknowledged */
    struct buffer ids; /* NUL-terminated, of the accepted jobs */
};

void moil_batch_init(struct batch *b, moil_client *client, const moil_job *model);
void moil_batch_fini(struct batch *b);

/* Adds a job with these arguments (JSON array text, copied); sends when the batch is full. 0, or
 * what moil_batch_send returns. */
int moil_batch_add(struct batch *b, const char *args, size_t len);

/* Sends what was collected. 0 or a negative moil_status; then nothing more is to be sent. */
int moil_batch_send(struct batch *b);

/* The ids of the accepted jobs in order: the first, and the next after one; NULL at the end. */
const char *moil_batch_next_id(const struct batch *b, const char *previous);

#endif
