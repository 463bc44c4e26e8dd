/* Bulk enqueueing: bounded in jobs and bytes, so that input of any length streams through. */
#include "cli/batch.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/complaint.h"
#include "cli/output.h"

void moil_batch_init(struct batch *b, moil_client *client, const moil_job *model)
{
    *b = (struct batch){.client = client, .model = *model};
    moil_buffer_init(&b->args);
    moil_buffer_init(&b->ids);
}

void moil_batch_fini(struct batch *b)
{
    moil_buffer_fini(&b->args);
    moil_buffer_fini(&b->ids);
}

int moil_batch_add(struct batch *b, const char *args, size_t len)
{
    size_t start = b->args.len;
    moil_buffer_add(&b->args, args, len);
    moil_buffer_add_char(&b->args, '\0');
    if (b->args.failed) {
        return MOIL_STATUS_NOMEM;
    }
    b->starts[b->count++] = start;
    return b->count == BATCH_JOBS || b->args.len >= BATCH_BYTES ? moil_batch_send(b) : 0;
}

static void print_id(const struct batch *b, const moil_enqueued *job)
{
    if (!job->created) {
        moil_complain("a job has the id %s already; nothing was enqueued", job->id);
    }
    if (!b->print_ids) {
        return;
    }
    if (!b->json) {
        puts(job->id);
        return;
    }
    json_t *object = json_pack("{s:s, s:b}", "id", job->id, "created", job->created);
    if (object) {
        moil_output_json(object);
    }
    json_decref(object);
}

static void take_ids(struct batch *b, const moil_enqueued *jobs)
{
    for (size_t i = 0; i < b->count; i++) {
        print_id(b, &jobs[i]);
        if (b->keep_ids) {
            moil_buffer_add(&b->ids, jobs[i].id, strlen(jobs[i].id) + 1);
        }
    }
    moil_output_flush();
}

int moil_batch_send(struct batch *b)
{
    static moil_job jobs[BATCH_JOBS]; /* too big for the stack, and there is one batch at a time */
    static moil_enqueued out[BATCH_JOBS];
    if (b->count == 0) {
        return 0;
    }
    for (size_t i = 0; i < b->count; i++) {
        jobs[i] = b->model;
        jobs[i].args = b->args.data + b->starts[i];
    }
    int rc = moil_enqueue(b->client, jobs, b->count, out);
    if (rc < 0) {
        return rc;
    }
    b->accepted += b->count;
    take_ids(b, out);
    b->count = 0;
    moil_buffer_clear(&b->args);
    return b->ids.failed ? MOIL_STATUS_NOMEM : 0;
}

const char *moil_batch_next_id(const struct batch *b, const char *previous)
{
    const char *next = previous ? previous + strlen(previous) + 1 : b->ids.data;
    return next && next < b->ids.data + b->ids.len ? next : NULL;
}
