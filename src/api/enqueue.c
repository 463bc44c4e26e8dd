/* enqueue.c: jobs in. A part of the client (client.h). */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/client.h"
#include "api/job_options.h"
#include "base/clock.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "base/mem.h"

enum { DEPTH_MAX = 128 }; /* vm/json.h has the same */
enum { CHUNK = 1000 };    /* jobs per wait for acknowledgement: four scripts under way at once */

/* One attempt at a chunk. It has its own copy of the submissions: the deadline may pass before the
 * reply comes. */
struct attempt {
    struct moil_client *client;
    bool done, abandoned;
    int err;
    size_t count;
    struct submission subs[];
};

static void enqueued(void *data, int err, const struct reply *reply)
{
    struct attempt *at = data;
    if (at->abandoned) {
        moil_mem_free(at);
        return;
    }
    at->done = true;
    at->err = err;
    MOIL_CRASH_POINT("client.answered");
    if (err && reply)
        moil_client_refused(at->client, err, reply);
    else if (err)
        moil_client_fail(at->client, err, "%s", moil_link_error(at->client->link));
}

/* One attempt: 0 or an internal error; what Redis acknowledged is marked in subs. */
static int attempt(struct moil_client *c, struct submission *subs, size_t count)
{
    struct attempt *at = moil_mem_alloc(sizeof *at + count * sizeof *subs);
    if (!at)
        return MOIL_ENOMEM;
    *at = (struct attempt){.client = c, .count = count};
    memcpy(at->subs, subs, count * sizeof *subs);
    MOIL_CRASH_POINT("client.enqueueing");
    int err = moil_broker_enqueue(&c->broker, at->subs, count, enqueued, at);
    if (err) {
        moil_mem_free(at);
        return err;
    }
    MOIL_CRASH_POINT_AFTER(moil_link_flush(c->link), "client.written");
    if (!moil_client_run(c, &at->done)) {
        at->abandoned = true;
        moil_client_fail(c, MOIL_ETIMEOUT, "Redis did not acknowledge within %g s", c->deadline_s);
        return MOIL_ETIMEOUT;
    }
    err = at->err;
    for (size_t i = 0; i < count; i++) {
        subs[i].acked = at->subs[i].acked;
        subs[i].created = at->subs[i].created;
    }
    moil_mem_free(at);
    return err;
}

int moil_client_submit(struct moil_client *c, struct submission *subs, size_t count)
{
    for (size_t from = 0; from < count; from += CHUNK) {
        size_t n = count - from < CHUNK ? count - from : CHUNK;
        moil_client_begin(c, c->deadline_s);
        for (;;) {
            int status = moil_client_connect(c);
            if (status)
                return status;
            int err = attempt(c, subs + from, n);
            if (!err)
                break;
            if (moil_link_is_transient(err))
                moil_client_pause(c, err);
            if (!moil_link_is_transient(err) || c->expired)
                return moil_client_status(err);
        }
    }
    return 0;
}

/* --- checking what a program hands over ------------------------------------------------------- */

static int bad(struct moil_client *c, size_t i, const char *what)
{
    return moil_client_fail(c, MOIL_STATUS_INVALID, "job %zu: %s", i + 1, what);
}

/* True when text is JSON of that type. "[]" and absent text are so often there that they are not
 * parsed. */
static bool is_json(const char *text, json_type type)
{
    if (!text || (type == JSON_ARRAY && strcmp(text, "[]") == 0))
        return true;
    json_t *v = json_loads(text, JSON_ALLOW_NUL, NULL);
    bool ok = v && json_typeof(v) == type;
    json_decref(v);
    return ok;
}

/* Levels of nesting in JSON text: what workers refuse is refused here. */
static int depth_of(const char *text)
{
    int depth = 0, deepest = 0;
    bool in_string = false;
    for (const char *p = text ? text : ""; *p; p++) {
        if (*p == '"')
            in_string = !in_string;
        else if (in_string && *p == '\\' && p[1])
            p++;
        else if (!in_string && (*p == '[' || *p == '{') && ++depth > deepest)
            deepest = depth;
        else if (!in_string && (*p == ']' || *p == '}'))
            depth--;
    }
    return deepest;
}

static int check_job(struct moil_client *c, const moil_job *job, size_t i)
{
    if (!job->task || !moil_name_is_valid(slice_str(job->task)))
        return bad(c, i, "task must be 1 to 200 printable characters without space");
    if (job->queue && !moil_name_is_valid(slice_str(job->queue)))
        return bad(c, i, "queue must be 1 to 200 printable characters without space");
    if (job->id && !moil_name_is_valid(slice_str(job->id)))
        return bad(c, i, "id must be 1 to 200 printable characters without space");
    if (job->has_priority && (job->priority < 0 || job->priority >= MOIL_PRIORITIES))
        return bad(c, i, "priority must be 0 to 9");
    if (job->countdown < 0 || !isfinite(job->countdown) || !isfinite(job->eta) ||
        job->countdown > 1e10 || job->eta > 1e11)
        return bad(c, i,
                   "countdown and eta must be times that a calendar knows, countdown not negative");
    if (job->countdown > 0 && job->eta > 0)
        return bad(c, i, "countdown and eta exclude each other");
    if (depth_of(job->args) > DEPTH_MAX + 1 || depth_of(job->kwargs) > DEPTH_MAX)
        return bad(c, i, "args or kwargs: more than 128 levels of nesting");
    if (!is_json(job->args, JSON_ARRAY))
        return bad(c, i, "args must be a JSON array");
    if (!is_json(job->kwargs, JSON_OBJECT))
        return bad(c, i, "kwargs must be a JSON object");
    char why[256];
    if (!moil_depends_check(job, why, sizeof why))
        return bad(c, i, why);
    if (!moil_job_options_check(job->options, why, sizeof why))
        return bad(c, i, why);
    size_t size = (job->args ? strlen(job->args) : 2) + (job->kwargs ? strlen(job->kwargs) : 0) +
                  (job->options ? strlen(job->options) : 0);
    if (size > c->max_payload)
        return moil_client_fail(c, MOIL_STATUS_TOO_LARGE,
                                "job %zu: %zu bytes of arguments, at most %zu are taken", i + 1,
                                size, c->max_payload);
    return 0;
}

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
    for (size_t i = 0; i < count; i++) {
        int status = check_job(c, &jobs[i], i);
        if (status)
            return status;
    }
    return 0;
}

/* Those that wait for others come last: they may wait for these. */
static int submit(struct moil_client *c, const moil_job *jobs, struct submission *subs,
                  size_t count)
{
    for (size_t i = 0; i < count; i++)
        subs[i].acked = moil_depends_count(&jobs[i]) > 0; /* it is left out */
    int status = moil_client_submit(c, subs, count);
    for (size_t i = 0; i < count && !status; i++)
        if (moil_depends_count(&jobs[i]) > 0)
            status = moil_client_submit_dependent(c, &subs[i], &jobs[i]);
    return status;
}

int moil_enqueue(moil_client *c, const moil_job *jobs, size_t count, moil_enqueued *out)
{
    int status = check_all(c, jobs, count);
    if (status)
        return status;
    struct submission *subs = moil_mem_alloc((count ? count : 1) * sizeof *subs);
    char(*ids)[MOIL_ID_LEN + 1] = moil_mem_alloc((count ? count : 1) * sizeof *ids);
    status = MOIL_STATUS_NOMEM;
    if (subs && ids) {
        for (size_t i = 0; i < count; i++) {
            if (!jobs[i].id)
                moil_id_new(ids[i]);
            fill_submission(&subs[i], &jobs[i], jobs[i].id ? jobs[i].id : ids[i]);
            if (out) /* also after a failure: the same ids may be sent again */
                snprintf(out[i].id, sizeof out[i].id, "%s", subs[i].job.id.p);
        }
        status = submit(c, jobs, subs, count);
        for (size_t i = 0; i < count && out && !status; i++)
            out[i].created = subs[i].created;
    }
    moil_mem_free(subs);
    moil_mem_free(ids);
    return status;
}
