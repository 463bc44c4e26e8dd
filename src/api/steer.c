/* steer.c: revoke, reschedule, forget, delete, purge, pause, and the dead set. A part of the client
 * (client.h).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/client.h"
#include "base/error.h"
#include "queue/describe.h"
#include "queue/message.h"

/* One question and its plain answer. */
struct ask {
    const char *first, *second;
    int64_t number;
    bool terminate;
    double countdown, eta;
    char state[MOIL_NAME_MAX + 1];
};

static const char *const unknown_job =
    "no job under this id: never enqueued, or its result expired or was not kept";

static void fill_strings(struct args *a, void *data)
{
    const struct ask *ask = data;
    moil_args_str(a, ask->first);
    if (ask->second)
        moil_args_str(a, ask->second);
}

static int take_number(void *data, const struct reply *reply)
{
    struct ask *ask = data;
    if (moil_reply_type(reply) == REPLY_NIL)
        return MOIL_STATUS_UNKNOWN;
    ask->number = moil_reply_integer(reply);
    return 0;
}

/* Runs a script on an id or a queue; its number goes to ask->number. */
static int call(struct moil_client *c, enum script_id script, struct ask *ask)
{
    moil_client_begin(c, c->deadline_s);
    if (!moil_name_is_valid(slice_str(ask->first)))
        return moil_client_fail(c, MOIL_STATUS_INVALID,
                                "an id or queue is 1 to 200 printable characters without space");
    int status = moil_client_call(c, script, fill_strings, take_number, ask);
    return status == MOIL_STATUS_UNKNOWN ? moil_client_fail(c, status, "%s", unknown_job) : status;
}

static void fill_revoke(struct args *a, void *data)
{
    moil_args_str(a, ((struct ask *)data)->first);
    moil_revoke_args(a, MOIL_RESULT_TTL_DEFAULT_S, ((struct ask *)data)->terminate);
}

static int take_state(void *data, const struct reply *reply)
{
    struct ask *ask = data;
    struct slice s = moil_reply_slice(reply);
    if (!s.p)
        return MOIL_STATUS_UNKNOWN;
    snprintf(ask->state, sizeof ask->state, "%.*s", (int)s.n, s.p);
    return 0;
}

static void fill_reschedule(struct args *a, void *data)
{
    const struct ask *ask = data;
    moil_args_str(a, ask->first);
    moil_reschedule_args(a, ask->countdown, ask->eta);
}

/* Runs a script on an id; the job's state afterwards goes to `state` (may be NULL). */
static int steer(struct moil_client *c, enum script_id script, struct ask *ask, char *state)
{
    moil_client_begin(c, c->deadline_s);
    if (!moil_name_is_valid(slice_str(ask->first)))
        return moil_client_fail(c, MOIL_STATUS_INVALID,
                                "an id is 1 to 200 printable characters without space");
    int status = moil_client_call(
        c, script, script == SCRIPT_REVOKE ? fill_revoke : fill_reschedule, take_state, ask);
    if (status == MOIL_STATUS_UNKNOWN)
        moil_client_fail(c, status, "%s", unknown_job);
    if (!status && state)
        memcpy(state, ask->state, sizeof ask->state);
    return status;
}

int moil_revoke(moil_client *c, const char *id, int terminate, char *state)
{
    return steer(c, SCRIPT_REVOKE, &(struct ask){.first = id, .terminate = terminate != 0}, state);
}

int moil_reschedule(moil_client *c, const char *id, double countdown, double eta, char *state)
{
    struct ask ask = {.first = id, .countdown = countdown, .eta = eta};
    c->errstr[0] = '\0';
    if (!(countdown >= 0 && countdown <= 1e10) || !(fabs(eta) <= 1e11))
        return moil_client_fail(
            c, MOIL_STATUS_INVALID,
            "countdown and eta must be times that a calendar knows, countdown not negative");
    if (countdown > 0 && eta != 0)
        return moil_client_fail(c, MOIL_STATUS_INVALID, "countdown and eta exclude each other");
    return steer(c, SCRIPT_RESCHEDULE, &ask, state);
}

int moil_forget(moil_client *c, const char *id)
{
    struct ask ask = {.first = id};
    int status = call(c, SCRIPT_FORGET, &ask);
    return status == MOIL_STATUS_UNKNOWN ? 0 : status ? status : (int)ask.number;
}

int moil_delete(moil_client *c, const char *id)
{
    struct ask ask = {.first = id};
    int status = call(c, SCRIPT_DELETE, &ask);
    if (!status && ask.number == 0)
        return moil_client_fail(c, MOIL_STATUS_STATE,
                                "a worker holds this job: revoke it, or wait until it has ended");
    return status;
}

int moil_pause(moil_client *c, const char *queue)
{
    return call(c, SCRIPT_PAUSE, &(struct ask){.first = queue, .second = "p"});
}

int moil_resume(moil_client *c, const char *queue)
{
    return call(c, SCRIPT_PAUSE, &(struct ask){.first = queue, .second = "r"});
}

/* --- purge ------------------------------------------------------------------------------------ */

static int take_purged(void *data, const struct reply *reply)
{
    struct ask *ask = data;
    ask->number += moil_reply_integer(moil_reply_at(reply, 0));
    ask->state[0] = moil_reply_integer(moil_reply_at(reply, 1)) ? 'm' : '\0'; /* more */
    return 0;
}

int moil_purge(moil_client *c, const char *queue, size_t *purged)
{
    struct ask ask = {.first = queue, .second = "250"};
    if (!moil_name_is_valid(slice_str(queue)))
        return moil_client_fail(c, MOIL_STATUS_INVALID,
                                "a queue is 1 to 200 printable characters without space");
    do {
        moil_client_begin(c, c->deadline_s);
        int status = moil_client_call(c, SCRIPT_PURGE, fill_strings, take_purged, &ask);
        if (status)
            return status;
    } while (ask.state[0]);
    if (purged)
        *purged = (size_t)ask.number;
    return 0;
}

/* --- the dead set ----------------------------------------------------------------------------- */

/* The ids that a call on the dead set is about, one after the other, each with its NUL. */
struct dead {
    const char *task;  /* NULL: of any */
    const char *scope; /* forget.lua's; NULL: another script */
    struct buffer ids;
    size_t count;
    size_t offset, found; /* paging */
    size_t at, batch;     /* moving: where in ids, how many next */
    size_t moved;
};

static void fill_page(struct args *a, void *data)
{
    const struct dead *d = data;
    moil_args_int(a, (int64_t)d->offset);
    moil_args_int(a, MOIL_BATCH_MAX);
}

static int take_page(void *data, const struct reply *reply)
{
    struct dead *d = data;
    d->found = moil_reply_count(reply) / 3;
    for (size_t i = 0; i < d->found; i++) {
        struct outcome_record o;
        struct slice id = moil_reply_slice(moil_reply_at(reply, 3 * i));
        bool known =
            moil_outcome_decode(moil_reply_slice(moil_reply_at(reply, 3 * i + 1)), &o) == 0;
        if (d->task && (!known || !slice_is(o.task, d->task)))
            continue;
        moil_buffer_add_slice(&d->ids, id);
        moil_buffer_add_char(&d->ids, '\0');
        d->count++;
    }
    return 0;
}

static int collect(struct moil_client *c, struct dead *d)
{
    do {
        moil_client_begin(c, c->deadline_s);
        int status = moil_client_call(c, SCRIPT_DEAD, fill_page, take_page, d);
        if (status)
            return status;
        d->offset += d->found;
    } while (d->found == MOIL_BATCH_MAX);
    return d->ids.failed ? moil_client_fail(c, MOIL_STATUS_NOMEM, "out of memory") : 0;
}

static void fill_ids(struct args *a, void *data)
{
    const struct dead *d = data;
    size_t at = d->at;
    for (size_t i = 0; i < d->batch; i++) {
        moil_args_str(a, d->ids.data + at);
        at += strlen(d->ids.data + at) + 1;
    }
    if (d->scope)
        moil_args_str(a, d->scope);
}

static int take_place(void *data, const struct reply *reply)
{
    return take_state(data, moil_reply_at(reply, 1));
}

static int take_moved(void *data, const struct reply *reply)
{
    struct dead *d = data;
    d->moved += (size_t)moil_reply_integer(reply);
    return 0;
}

/* Hands the ids to a script, so many at a time. */
static int move(struct moil_client *c, struct dead *d, enum script_id script, size_t batch)
{
    for (size_t left = d->count; left > 0; left -= d->batch) {
        d->batch = left < batch ? left : batch;
        moil_client_begin(c, c->deadline_s);
        int status = moil_client_call(c, script, fill_ids, take_moved, d);
        if (status && status != MOIL_STATUS_UNKNOWN)
            return status;
        for (size_t i = 0; i < d->batch; i++)
            d->at += strlen(d->ids.data + d->at) + 1;
    }
    return 0;
}

/* One id was given, and its job was not moved: why not. */
static int unmoved(struct moil_client *c, const char *id)
{
    struct ask ask = {.first = id};
    moil_client_begin(c, c->deadline_s);
    int status = moil_client_call(c, SCRIPT_INSPECT, fill_strings, take_place, &ask);
    if (!status && strcmp(ask.state, "dead") == 0)
        return moil_client_fail(c, MOIL_STATUS_BAD_RECORD,
                                "the dead job's record holds no job that could run again: it is "
                                "damaged or not moil's, and can only be deleted");
    return status && status != MOIL_STATUS_UNKNOWN
               ? status
               : moil_client_fail(c, MOIL_STATUS_UNKNOWN, "no job in the dead set under this id");
}

static int on_dead(struct moil_client *c, const char *id, const char *task, size_t *count,
                   enum script_id script, size_t batch)
{
    struct dead d = {.task = task, .scope = script == SCRIPT_FORGET ? "dead" : NULL};
    int status = 0;
    moil_client_begin(c, c->deadline_s);
    if (id && !moil_name_is_valid(slice_str(id)))
        return moil_client_fail(c, MOIL_STATUS_INVALID,
                                "an id is 1 to 200 printable characters without space");
    moil_buffer_init(&d.ids);
    if (id) {
        moil_buffer_add(&d.ids, id, strlen(id) + 1);
        d.count = 1;
    } else {
        status = collect(c, &d);
    }
    if (!status)
        status = move(c, &d, script, batch);
    if (!status && id && d.moved == 0)
        status = unmoved(c, id);
    if (!status && count)
        *count = d.moved;
    moil_buffer_fini(&d.ids);
    return status;
}

int moil_dead_retry(moil_client *c, const char *id, const char *task, size_t *count)
{
    return on_dead(c, id, task, count, SCRIPT_RETRY_DEAD, MOIL_BATCH_MAX);
}

int moil_dead_delete(moil_client *c, const char *id, const char *task, size_t *count)
{
    return on_dead(c, id, task, count, SCRIPT_FORGET, 1);
}
