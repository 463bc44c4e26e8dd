/* verdict.c: see verdict.h. The only caller of the settler's batches. */
#include "worker/verdict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "queue/message.h"
#include "worker/delivery.h"
#include "worker/worker.h"

enum {
    UNREGISTERED_MS = 60000, /* a rolling deploy takes no longer */
    UNREGISTERED_AGAIN_MS = 2000,
    AVERAGE_WEIGHT = 16, /* of the history against the newest job */
};

/* The batch for a verdict of about this size. When memory is out the job stays in flight, and
 * recovery gives it back. */
static struct settlement *batch_for(struct delivery *d, size_t bytes)
{
    struct settlement *batch = moil_settler_batch(&d->worker->settler, bytes + d->job.id.n);
    if (batch && d->link != d->worker->links)
        moil_settlement_doubt(batch);
    if (!batch)
        log_error("out of memory: job %.*s stays in flight", (int)d->job.id.n, d->job.id.p);
    return batch;
}

static void ended(struct delivery *d)
{
    struct worker *w = d->worker;
    atomic_fetch_add_explicit(&w->options.page->finished, 1, memory_order_relaxed);
    if (d->started_us) {
        w->ended_us = moil_clock_monotonic_us();
        double took = (double)(w->ended_us - d->started_mono_us) / 1e6;
        moil_counter_took(d, w->ended_us - d->started_mono_us);
        w->average_s += w->average_s > 0 ? (took - w->average_s) / AVERAGE_WEIGHT : took;
    }
    moil_fetcher_job_ended(&w->fetcher);
    moil_delivery_free(d);
}

static void encode_outcome(struct delivery *d, const char *state, struct slice value,
                           struct slice body, int64_t expires_min, struct buffer *out)
{
    moil_buffer_clear(out);
    moil_outcome_encode(
        &(struct outcome_record){
            .state = slice_str(state),
            .queue = d->job.queue,
            .task = d->job.task,
            .worker = slice_str(d->worker->incarnation),
            .value = value,
            .body = body,
            .priority = d->job.priority,
            .retries = d->job.retries,
            .deliveries = moil_job_deliveries(&d->job),
            .enqueued_us = d->job.enqueued_us,
            .started_us = d->started_us,
            .finished_us = moil_clock_wall_us(),
            .expires_min = expires_min,
        },
        out);
}

/* Seconds for which a result is kept: what the call said, else the task, else the worker's
 * configuration. */
static double result_ttl(const struct delivery *d)
{
    if (d->envelope.result_ttl_s >= 0) /* who asks for over 300 years gets for ever */
        return d->envelope.result_ttl_s < 1e10 ? d->envelope.result_ttl_s : INFINITY;
    if (d->task && d->task->result_ttl_s >= 0)
        return d->task->result_ttl_s;
    return d->worker->options.result_ttl_s;
}

/* What is told to other jobs is kept for a minute at least: they, or whoever holds it for them, see
 * to it meanwhile. */
enum { LINKED_TTL_S = 60 };

static bool ignores_result(const struct delivery *d)
{
    if (d->envelope.ignore_result >= 0)
        return d->envelope.ignore_result == 1;
    return d->task && d->task->ignore_result;
}

/* state: a literal. */
static void end_with(struct delivery *d, const char *state, struct slice value)
{
    double ttl = result_ttl(d);
    if (d->envelope.linked && (ignores_result(d) || ttl < LINKED_TTL_S))
        ttl = LINKED_TTL_S;
    int64_t minute =
        isinf(ttl) ? 0 : (int64_t)ceil(((double)moil_clock_wall_us() / 1e6 + ttl) / 60);
    struct buffer *text = &d->worker->text;
    encode_outcome(d, state, value, slice_of("", 0), minute, text);
    struct settlement *batch = batch_for(d, text->len);
    if (batch && !text->failed)
        moil_settlement_end(batch, d->job.id, moil_buffer_slice(text),
                            &(struct ending){d->job.queue, state, minute, d->envelope.linked});
    MOIL_CRASH_POINT("verdict.ended");
    ended(d);
}

/* state: a literal. */
static void drop(struct delivery *d, const char *state)
{
    struct settlement *batch = batch_for(d, 0);
    if (batch)
        moil_settlement_drop(batch, d->job.id, &(struct ending){d->job.queue, state, 0, false});
    MOIL_CRASH_POINT("verdict.dropped");
    ended(d);
}

/* The workflow of that token takes its place. */
static void replace(struct delivery *d, struct slice token)
{
    struct settlement *batch = batch_for(d, token.n);
    if (batch)
        moil_settlement_replace(batch, d->job.id, token);
    MOIL_CRASH_POINT("verdict.replaced");
    ended(d);
}

/* The J record for replay: without a verdict, and without the time since when its task was missing,
 * so that a replay gets its 60 s anew. `out` is for what has to be written anew. */
static struct slice body_of(struct delivery *d, struct buffer *out)
{
    struct buffer extra;
    struct slice body = slice_of(d->record.p, d->record.n - d->job.verdict.n);
    if (d->damaged || !d->envelope.unregistered_ms)
        return body;
    moil_buffer_init(&extra);
    struct job job = d->job;
    if (moil_envelope_unmark(job.extra, &extra) == 0) {
        job.extra = moil_buffer_slice(&extra);
        moil_message_encode(&job, out);
        if (!out->failed)
            body = moil_buffer_slice(out);
    }
    moil_buffer_fini(&extra);
    return body;
}

static void bury(struct delivery *d, struct slice error)
{
    struct buffer *text = &d->worker->text, anew;
    moil_buffer_init(&anew);
    encode_outcome(d, "FAILURE", error, body_of(d, &anew), 0, text);
    moil_buffer_fini(&anew);
    struct settlement *batch = batch_for(d, text->len);
    if (batch && !text->failed)
        moil_settlement_dead(batch, d->job.id, moil_buffer_slice(text));
    MOIL_CRASH_POINT("verdict.dead");
    ended(d);
}

/* Its J record again, with `retries` and `extra` as they are now in d->job. */
static void again(struct delivery *d, int64_t delay_ms)
{
    struct buffer *text = &d->worker->text;
    moil_buffer_clear(text);
    moil_message_encode(&d->job, text);
    struct settlement *batch = batch_for(d, text->len);
    if (batch && !text->failed)
        moil_settlement_retry(batch, d->job.id, moil_buffer_slice(text), delay_ms);
    MOIL_CRASH_POINT("verdict.retry");
    ended(d);
}

static void log_failure(const struct delivery *d, const char *what, struct slice error)
{
    moil_log_job(LOG_ERROR, d->job.id, d->job.task, slice_str(what), error);
}

void moil_verdict_outcome(struct delivery *d, const struct run_outcome *outcome)
{
    switch (outcome->kind) {
    case OUTCOME_SUCCESS:
        moil_counter_ended(d, TALLY_SUCCEEDED);
        if (!d->envelope.linked && (ignores_result(d) || result_ttl(d) <= 0))
            drop(d, "SUCCESS");
        else
            end_with(d, "SUCCESS", outcome->value);
        return;
    case OUTCOME_IGNORE:
        moil_counter_ended(d, TALLY_IGNORED);
        drop(d, "IGNORED");
        return;
    case OUTCOME_REPLACE:
        moil_counter_ended(d, TALLY_REPLACED);
        replace(d, outcome->value);
        return;
    case OUTCOME_FAILURE:
        moil_counter_ended(d, TALLY_FAILED);
        moil_counter_error(d, outcome->value);
        log_failure(d, "failed", outcome->value);
        bury(d, outcome->value);
        return;
    case OUTCOME_REJECT:
        moil_counter_ended(d, TALLY_REJECTED);
        log_failure(d, "rejected", outcome->value);
        bury(d, outcome->value);
        return;
    case OUTCOME_REVOKED:
        moil_verdict_revoked(d);
        return;
    case OUTCOME_RETRY:
        moil_counter_ended(d, TALLY_RETRIED);
        moil_counter_error(d, outcome->value);
        d->job.retries++;
        again(d, outcome->delay_ms);
        return;
    }
}

/* {"code": …, "message": …} in the worker's second scratch text. */
static struct slice make_error(struct delivery *d, const char *code, const char *message)
{
    struct buffer *out = &d->worker->error;
    moil_buffer_clear(out);
    moil_buffer_add_str(out, "{\"code\":");
    moil_buffer_add_json(out, slice_str(code));
    moil_buffer_add_str(out, ",\"message\":");
    moil_buffer_add_json(out, slice_str(message));
    moil_buffer_add_char(out, '}');
    return moil_buffer_slice(out);
}

void moil_verdict_damaged(struct delivery *d)
{
    struct slice value = make_error(
        d, "BadMessage", "the record is damaged or not moil's; its bytes are kept in the dead set");
    d->job.task = slice_of("", 0); /* what was decoded of it is not to be trusted */
    d->job.queue = moil_message_queue(d->record);
    d->job.priority = 0;
    moil_counter_ended(d, TALLY_FAILED);
    log_failure(d, "damaged record", value);
    bury(d, value);
}

void moil_verdict_expired(struct delivery *d)
{
    struct slice value = make_error(d, "Expired", "it was not started before it expired");
    moil_counter_ended(d, TALLY_EXPIRED);
    moil_log_job(LOG_WARNING, d->job.id, d->job.task, slice_str("expired"), value);
    end_with(d, "REVOKED", value);
}

void moil_verdict_revoked(struct delivery *d)
{
    if (d->damaged) {
        moil_verdict_damaged(d);
        return;
    }
    moil_counter_ended(d, TALLY_REVOKED);
    end_with(d, "REVOKED", make_error(d, "Revoked", "revoked"));
}

static void bury_unregistered(struct delivery *d)
{
    char message[MOIL_NAME_MAX + 100];
    snprintf(message, sizeof message,
             "no worker registers the task %.*s; it can be replayed from the dead set",
             (int)d->job.task.n, d->job.task.p);
    struct slice value = make_error(d, "TaskNotRegistered", message);
    moil_counter_ended(d, TALLY_FAILED);
    log_failure(d, "unknown task", value);
    bury(d, value);
}

void moil_verdict_unregistered(struct delivery *d)
{
    int64_t now_ms = moil_clock_wall_us() / 1000, since_ms = d->envelope.unregistered_ms;
    if (since_ms && now_ms - since_ms >= UNREGISTERED_MS) {
        bury_unregistered(d);
        return;
    }
    struct buffer extra;
    moil_buffer_init(&extra);
    if (!since_ms) {
        moil_log_job(LOG_WARNING, d->job.id, d->job.task,
                     slice_str("this worker has no such task; it is tried again for 60 s"),
                     slice_of("", 0));
        if (moil_envelope_mark_unregistered(d->job.extra, now_ms, &extra) == 0)
            d->job.extra = moil_buffer_slice(&extra);
    }
    moil_counter_ended(d, TALLY_REQUEUED);
    again(d, UNREGISTERED_AGAIN_MS);
    moil_buffer_fini(&extra);
}

void moil_verdict_requeue(struct delivery *d)
{
    if (d->damaged) { /* its queue cannot be read */
        moil_verdict_damaged(d);
        return;
    }
    if (d->started_us)
        moil_counter_ended(d, TALLY_REQUEUED);
    struct settlement *batch = batch_for(d, d->job.queue.n);
    if (batch)
        moil_settlement_requeue(batch, d->job.id, d->job.queue, d->job.priority);
    moil_delivery_free(d);
}

void moil_verdict_add_note(const struct delivery *d, struct slice state, struct slice meta,
                           struct buffer *out)
{
    moil_buffer_add_slice(out, state);
    moil_buffer_add_char(out, ' ');
    moil_buffer_add_str(out, d->worker->incarnation);
    moil_buffer_add_char(out, ' ');
    moil_buffer_add_int(out, d->started_us);
    moil_buffer_add_char(out, '\n');
    moil_buffer_add_slice(out, meta);
}
