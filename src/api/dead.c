/* dead.c: moving and removing what is in the dead set. A part of the client (client.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/client.h"
#include "base/error.h"
#include "queue/message.h"

/* The ids that a call on the dead set is about, one after the other, each with its NUL. */
struct dead {
    const char *task;  /* NULL: of any */
    const char *scope; /* forget.lua's; NULL: another script */
    struct buffer ids;
    size_t count;
    int64_t offset;   /* of the next page; -1: that was all */
    size_t at, batch; /* moving: where in ids, how many next, or looked at */
    size_t moved;
};

static void fill_page(struct args *a, void *data)
{
    const struct dead *d = data;
    moil_args_int(a, d->offset);
    moil_args_int(a, MOIL_BATCH_MAX);
    moil_args_str(a, "heads");
}

static int take_page(void *data, const struct reply *reply)
{
    struct dead *d = data;
    size_t found = moil_reply_count(reply) / 3;
    struct slice next = moil_reply_slice(moil_reply_at(reply, 3 * found));
    d->offset = next.n > 0 ? strtoll(next.p, NULL, 10) : -1;
    for (size_t i = 0; i < found; i++) {
        struct outcome_record o;
        struct slice id = moil_reply_slice(moil_reply_at(reply, 3 * i));
        struct slice head = moil_reply_slice(moil_reply_at(reply, 3 * i + 1));
        bool known = moil_outcome_decode_header(head, &o) == 0;
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
    } while (d->offset >= 0);
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

/* Where one job is. */
struct place {
    const char *id;
    bool is_dead;
};

static void fill_id(struct args *a, void *data)
{
    moil_args_str(a, ((const struct place *)data)->id);
}

static int take_place(void *data, const struct reply *reply)
{
    struct slice place = moil_reply_slice(moil_reply_at(reply, 1));
    ((struct place *)data)->is_dead = slice_is(place, "dead");
    return place.p ? 0 : MOIL_STATUS_UNKNOWN;
}

static int take_moved(void *data, const struct reply *reply)
{
    struct dead *d = data;
    bool is_part = moil_reply_count(reply) == 2; /* how many were moved, and looked at */
    d->moved += (size_t)moil_reply_integer(is_part ? moil_reply_at(reply, 0) : reply);
    int64_t looked = is_part ? moil_reply_integer(moil_reply_at(reply, 1)) : 0;
    if (looked > 0 && (size_t)looked < d->batch)
        d->batch = (size_t)looked;
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
        if ((status = moil_client_step(c, d->moved, d->count)) != 0)
            return status;
    }
    return 0;
}

/* One id was given, and its job was not moved: why not. */
static int unmoved(struct moil_client *c, const char *id)
{
    struct place place = {.id = id};
    moil_client_begin(c, c->deadline_s);
    int status = moil_client_call(c, SCRIPT_INSPECT, fill_id, take_place, &place);
    if (!status && place.is_dead)
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
