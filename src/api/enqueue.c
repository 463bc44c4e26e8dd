/* enqueue.c: jobs in. A part of the client (client.h).
 *
 * One request: the jobs in chunks, then those that wait for others, each a workflow of its own. It
 * has its own submissions, as answers may come when its caller has gone on. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "api/depend.h"
#include "api/job_copy.h"
#include "base/clock.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "base/id.h"
#include "base/mem.h"

enum { CHUNK = 1000 }; /* jobs per wait for acknowledgement: four scripts under way at once */

struct enqueue {
    struct moil_request request;
    moil_job *copy;               /* owned: jobs, where the caller's do not last; or NULL */
    const moil_job *jobs;         /* what subs are made of; NULL where nothing waits for others */
    char (*ids)[MOIL_ID_LEN + 1]; /* those that were made here */
    moil_enqueued *out;           /* for the callback; NULL for a blocking caller */
    struct submission *subs;
    size_t count;
    size_t from, chunk; /* on its way */
    size_t next;        /* to be looked at for what it waits for */
    struct dependent dependent;
};

static bool is_sent(const struct enqueue *e)
{
    for (size_t i = 0; i < e->chunk; i++)
        if (!e->subs[e->from + i].acked)
            return false;
    return true;
}

/* Moves to the first chunk from here on in which there is something to send. */
static bool find_chunk(struct enqueue *e)
{
    for (; e->from < e->count; e->from += e->chunk) {
        e->chunk = e->count - e->from < CHUNK ? e->count - e->from : CHUNK;
        if (!is_sent(e))
            return true;
    }
    e->chunk = 0;
    return false;
}

/* What comes next: REQUEST_MORE, 0 when all is in, or a status. Those that wait for others come
 * last: they may wait for these. */
static int find_next(struct enqueue *e)
{
    if (find_chunk(e))
        return REQUEST_MORE;
    moil_dependent_close(&e->dependent);
    while (e->jobs && e->next < e->count) {
        size_t i = e->next++;
        if (moil_depends_count(&e->jobs[i]) == 0)
            continue;
        int status = moil_dependent_open(&e->dependent, &e->request, &e->jobs[i], &e->subs[i]);
        return status ? status : REQUEST_MORE;
    }
    return 0;
}

static int send_next(struct moil_request *r)
{
    struct enqueue *e = (struct enqueue *)r;
    if (e->dependent.way.open)
        return moil_graph_way_send(&e->dependent.way, r);
    MOIL_CRASH_POINT("client.enqueueing");
    return moil_broker_enqueue(&r->client->broker, e->subs + e->from, e->chunk,
                               moil_request_answered, r);
}

static int take(struct moil_request *r, const struct reply *reply)
{
    struct enqueue *e = (struct enqueue *)r;
    if (e->dependent.way.open) {
        int status = moil_graph_way_take(&e->dependent.way, r, reply);
        if (status)
            return status;
        moil_dependent_done(&e->dependent);
    } else {
        MOIL_CRASH_POINT("client.answered");
        e->from += e->chunk;
    }
    return find_next(e);
}

static int failed(struct moil_request *r, int status)
{
    struct enqueue *e = (struct enqueue *)r;
    if (!e->dependent.way.open)
        return status;
    status = moil_graph_way_failed(&e->dependent.way, r, status);
    if (status)
        return status;
    moil_dependent_done(&e->dependent);
    return find_next(e);
}

static void tell(struct moil_request *r)
{
    struct enqueue *e = (struct enqueue *)r;
    for (size_t i = 0; i < e->count; i++)
        e->out[i].created = e->subs[i].created;
    if (r->fn.enqueued)
        r->fn.enqueued(r->data, r->status, r->errstr, e->out, e->count);
}

static void free_enqueue(struct moil_request *r)
{
    struct enqueue *e = (struct enqueue *)r;
    moil_dependent_close(&e->dependent);
    moil_mem_free(e->copy);
    moil_mem_free(e->ids);
    moil_mem_free(e->out);
    moil_mem_free(e->subs);
}

static const struct operation operation = {
    .late = "acknowledge",
    .send = send_next,
    .take = take,
    .failed = failed,
    .tell = tell,
    .free = free_enqueue,
};

/* With room for so many submissions; NULL with the sentence set. */
static struct enqueue *enqueue_new(struct moil_client *c, size_t count)
{
    struct enqueue *e = moil_request_new(c, &operation, sizeof *e);
    if (!e)
        return NULL;
    e->count = count;
    e->subs = moil_mem_zalloc(count ? count : 1, sizeof *e->subs);
    if (e->subs)
        return e;
    moil_request_release(&e->request);
    moil_client_fail(c, MOIL_STATUS_NOMEM, "out of memory");
    return NULL;
}

/* --- jobs to submissions ---------------------------------------------------------------------- */

static void fill_submission(struct submission *s, const moil_job *job, const char *id)
{
    *s = (struct submission){
        .job =
            {
                .id = slice_str(id),
                .task = slice_str(job->task),
                .queue = slice_str(job->queue ? job->queue : "default"),
                .args = slice_str(job->args ? job->args : "[]"),
                .kwargs = job->kwargs && strcmp(job->kwargs, "{}") != 0 ? slice_str(job->kwargs)
                                                                        : slice_of("", 0),
                .extra = slice_str(job->options ? job->options : ""),
                .priority = job->has_priority ? job->priority : MOIL_PRIORITY_DEFAULT,
                .enqueued_us = moil_clock_stamp_us(),
            },
        .at_front = job->at_front != 0,
        .delayed = job->countdown > 0 || job->eta > 0,
        .due_is_relative = job->countdown > 0,
        .due_ms = (int64_t)llround((job->countdown > 0 ? job->countdown : job->eta) * 1000),
    };
}

static int check_all(struct moil_client *c, const moil_job *jobs, size_t count)
{
    c->errstr[0] = '\0';
    c->status = 0;
    if (!jobs && count > 0)
        return moil_client_fail(c, MOIL_STATUS_INVALID, "jobs: NULL, though there are to be some");
    for (size_t i = 0; i < count; i++) {
        int status = moil_client_check_job(c, &jobs[i], i);
        if (status)
            return status;
    }
    return 0;
}

static bool any_depends(const moil_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (moil_depends_count(&jobs[i]) > 0)
            return true;
    return false;
}

/* The ids that are missing, and the submissions. False when out of memory. */
static bool fill(struct enqueue *e, const moil_job *jobs)
{
    if (!e->request.client->is_blocking) {
        e->copy = moil_jobs_copy(jobs, e->count);
        e->out = moil_mem_zalloc(e->count ? e->count : 1, sizeof *e->out);
        if (!e->copy || !e->out)
            return false;
        jobs = e->copy;
    }
    e->ids = moil_mem_alloc((e->count ? e->count : 1) * sizeof *e->ids);
    if (!e->ids)
        return false;
    for (size_t i = 0; i < e->count; i++) {
        if (!jobs[i].id)
            moil_id_new(e->ids[i]);
        fill_submission(&e->subs[i], &jobs[i], jobs[i].id ? jobs[i].id : e->ids[i]);
        if (e->out)
            snprintf(e->out[i].id, sizeof e->out[i].id, "%s", e->subs[i].job.id.p);
        e->subs[i].acked = moil_depends_count(&jobs[i]) > 0; /* the chunks leave it out */
    }
    e->jobs = any_depends(jobs, e->count) ? jobs : NULL;
    return true;
}

/* Not started yet; NULL with the sentence set. */
static struct enqueue *make(struct moil_client *c, const moil_job *jobs, size_t count)
{
    if (check_all(c, jobs, count) != 0)
        return NULL;
    struct enqueue *e = enqueue_new(c, count);
    if (!e)
        return NULL;
    int status = fill(e, jobs) ? find_next(e)
                               : moil_request_fail(&e->request, MOIL_STATUS_NOMEM, "out of memory");
    if (status >= 0)
        return e;
    moil_client_fail(c, status, "%s", e->request.errstr);
    moil_request_release(&e->request);
    return NULL;
}

/* --- the ways to start it --------------------------------------------------------------------- */

int moil_enqueue(moil_client *c, const moil_job *jobs, size_t count, moil_enqueued *out)
{
    struct enqueue *e = make(c, jobs, count);
    if (!e)
        return c->status;
    moil_request_start(&e->request, c->deadline_s);
    int status = moil_client_run(c, &e->request);
    for (size_t i = 0; i < count && out; i++) {
        /* The ids also after a failure: they may be sent again. */
        snprintf(out[i].id, sizeof out[i].id, "%s", e->subs[i].job.id.p);
        if (!status)
            out[i].created = e->subs[i].created;
    }
    moil_request_release(&e->request);
    return status;
}

moil_request *moil_async_enqueue(moil_async *client, const moil_job *jobs, size_t count,
                                 moil_enqueued_fn *fn, void *data)
{
    struct moil_client *c = &client->client;
    struct enqueue *e = make(c, jobs, count);
    if (!e)
        return NULL;
    e->request.fn.enqueued = fn;
    e->request.data = data;
    moil_request_start(&e->request, c->deadline_s);
    return &e->request;
}

int moil_client_submit(struct moil_client *c, struct submission *subs, size_t count)
{
    struct enqueue *e = enqueue_new(c, count);
    if (!e)
        return c->status;
    memcpy(e->subs, subs, count * sizeof *subs);
    find_next(e);
    moil_request_start(&e->request, c->deadline_s);
    int status = moil_client_run(c, &e->request);
    for (size_t i = 0; i < count; i++) {
        subs[i].acked = e->subs[i].acked;
        subs[i].created = e->subs[i].created;
    }
    moil_request_release(&e->request);
    return status;
}
