/* why.c: see why.h. */
#include "api/why.h"

#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json_dump.h"
#include "base/mem.h"
#include "queue/describe.h"

enum {
    PAGES_MAX = 400,    /* of the links of all jobs, 500 each, or 5,000 in lists */
    MEMBERS_MAX = 1000, /* of a group that are looked at */
    OTHERS_MAX = 100,   /* that are told */
};

struct ask {
    struct why *why;
    struct slice id;
    char cursor[64];
};

static void fill(struct args *a, void *data)
{
    const struct ask *ask = data;
    moil_args_slice(a, ask->id);
    moil_args_str(a, ask->cursor);
}

static json_t *text(const struct reply *r)
{
    struct slice s = moil_reply_slice(r);
    return json_stringn(s.p ? s.p : "", s.p ? s.n : 0);
}

/* Lists of three: their members go by these names. */
static void take_others(struct why *w, const struct reply *list, const char *const keys[3])
{
    for (size_t i = 0; i + 2 < moil_reply_count(list); i += 3) {
        if (json_array_size(w->others) >= OTHERS_MAX)
            return;
        json_t *row = json_object();
        for (size_t k = 0; k < 3; k++)
            json_object_set_new(row, keys[k], text(moil_reply_at(list, i + k)));
        json_array_append_new(w->others, row);
    }
}

static void take_holder(struct why *w, const struct reply *field)
{
    struct slice s = moil_reply_slice(field);
    const char *space = s.n ? memrchr(s.p, ' ', s.n) : NULL;
    w->holder_lives = space != NULL;
    if (space)
        snprintf(w->node, sizeof w->node, "%.*s", (int)(space - s.p), s.p);
}

static void take_place(struct ask *ask, const struct reply *reply, struct slice place)
{
    static const char *const waits[] = {"id", "state", "task"}, *const runs[] = {"id", "task",
                                                                                 "note"};
    struct why *w = ask->why;
    struct slice state = moil_reply_slice(moil_reply_at(reply, 2));
    if (slice_is(place, "deferred")) {
        snprintf(ask->cursor, sizeof ask->cursor, "%.*s", (int)state.n, state.p ? state.p : "");
        take_others(w, moil_reply_at(reply, 3), waits);
    } else if (slice_is(place, "inflight")) {
        take_holder(w, moil_reply_at(reply, 2));
        take_others(w, moil_reply_at(reply, 3), runs);
    } else {
        w->paused = state.n && state.p[0] == 'p';
        w->before = moil_reply_integer(moil_reply_at(reply, 3));
        w->exact = moil_reply_integer(moil_reply_at(reply, 4)) != 0;
        w->ended = moil_reply_integer(moil_reply_at(reply, 5));
    }
}

static int take(void *data, const struct reply *reply)
{
    struct ask *ask = data;
    struct why *w = ask->why;
    const struct reply *found = moil_reply_at(reply, 0);
    struct slice place = moil_reply_slice(moil_reply_at(found, 1));
    struct buffer b;
    if (moil_reply_type(reply) == REPLY_NIL)
        return MOIL_STATUS_UNKNOWN;
    moil_buffer_init(&b);
    int status = moil_describe_job(ask->id, found, &b);
    json_decref(w->job);
    w->job = status ? NULL : json_loadb(b.data, b.len, JSON_ALLOW_NUL, NULL);
    moil_buffer_fini(&b);
    if (!w->job)
        return status ? status : MOIL_STATUS_NOMEM;
    json_object_set_new(w->job, "place", text(moil_reply_at(found, 1)));
    w->now = (double)moil_reply_integer(moil_reply_at(reply, 1)) / 1000;
    take_place(ask, reply, place);
    return 0;
}

static int look(struct moil_client *c, struct ask *ask)
{
    moil_client_begin(c, c->deadline_s);
    int status = moil_client_call(c, SCRIPT_WHY, fill, take, ask);
    if (status == MOIL_STATUS_UNKNOWN)
        moil_client_fail(
            c, status,
            "no job under this id: never enqueued, or its result expired or was not kept");
    return status;
}

static bool is_at(const struct why *w, const char *place)
{
    const char *at = json_string_value(json_object_get(w->job, "place"));
    return at && strcmp(at, place) == 0;
}

/* Page after page of the links, until all that it waits for were found. */
static int search(struct moil_client *c, struct ask *ask)
{
    for (int page = 1; page < PAGES_MAX && is_at(ask->why, "deferred"); page++) {
        json_int_t open = json_integer_value(json_object_get(ask->why->job, "waits_for"));
        size_t found = json_array_size(ask->why->others);
        if (strcmp(ask->cursor, "0") == 0 || (json_int_t)found >= open || found >= OTHERS_MAX)
            break;
        int status = look(c, ask);
        if (status)
            return status;
    }
    return 0;
}

static int take_members(void *data, const struct reply *reply)
{
    struct why *w = data;
    for (size_t i = 2; i + 2 < moil_reply_count(reply); i += 3) {
        struct slice state = moil_reply_slice(moil_reply_at(reply, i + 1));
        bool has_ended = slice_is(state, "SUCCESS") || slice_is(state, "FAILURE") ||
                         slice_is(state, "REVOKED") || slice_is(state, "UNKNOWN");
        if (!has_ended && json_array_size(w->members) < OTHERS_MAX)
            json_array_append_new(w->members,
                                  json_pack("{s:o, s:o, s:o}", "id", text(moil_reply_at(reply, i)),
                                            "state", text(moil_reply_at(reply, i + 1)), "task",
                                            text(moil_reply_at(reply, i + 2))));
    }
    return 0;
}

/* The group that it waits for, or is. */
static int look_at_group(struct moil_client *c, struct why *w)
{
    const char *task = json_string_value(json_object_get(w->job, "task")), *id = NULL;
    size_t i;
    json_t *other;
    if (task && strcmp(task, "moil.group") == 0)
        id = json_string_value(json_object_get(w->job, "id"));
    json_array_foreach(w->others, i, other)
    {
        const char *what = json_string_value(json_object_get(other, "task"));
        if (!id && what && strcmp(what, "moil.group") == 0)
            id = json_string_value(json_object_get(other, "id"));
    }
    if (!id)
        return 0;
    int status = moil_client_gather(c, slice_str(id), 0, MEMBERS_MAX, "t", take_members, w);
    return status == MOIL_STATUS_UNKNOWN ? 0 : status;
}

/* How fast its queue moves: of two looks so long apart. */
static int measure(struct moil_client *c, struct ask *ask, double sample)
{
    struct why *w = ask->why;
    int64_t ended = w->ended;
    double since = w->now;
    w->rate = -1;
    if (!(sample > 0) || !is_at(w, "pending") || w->before == 0)
        return 0;
    ev_sleep(sample < 10 ? sample : 10);
    int status = look(c, ask);
    if (!status && is_at(w, "pending") && w->now > since)
        w->rate = (double)(w->ended - ended) / (w->now - since);
    return status;
}

static int look_at_nodes(struct moil_client *c, struct why *w)
{
    char *json = NULL;
    int status = moil_inspect(c, MOIL_VIEW_NODES, 0, 0, &json);
    if (status)
        return status;
    w->nodes = json_loads(json, JSON_ALLOW_NUL, NULL);
    moil_free(json);
    return 0;
}

static int write_answer(struct moil_client *c, const struct why *w, char **json)
{
    static const char *const keys[] = {"id", "task", "queue", "state", "place"};
    json_t *answer = json_object(), *reasons = moil_why_reasons(w);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_object_get(w->job, keys[i]))
            json_object_set(answer, keys[i], json_object_get(w->job, keys[i]));
    json_object_set_new(answer, "reasons", reasons);
    char *text = reasons ? moil_json_dump(answer, JSON_COMPACT | JSON_REAL_PRECISION(16)) : NULL;
    json_decref(answer);
    if (!text)
        return moil_client_fail(c, MOIL_STATUS_NOMEM, "out of memory");
    *json = text;
    return 0;
}

int moil_why(moil_client *c, const char *id, double sample, char **json)
{
    struct why w = {.rate = -1, .others = json_array(), .members = json_array()};
    struct ask ask = {.why = &w, .id = slice_str(id), .cursor = "0"};
    moil_client_begin(c, c->deadline_s);
    int status = MOIL_STATUS_INVALID;
    if (!moil_name_is_valid(ask.id))
        moil_client_fail(c, status, "an id is 1 to 200 printable characters without space");
    else
        status = look(c, &ask);
    if (!status)
        status = search(c, &ask);
    if (!status)
        status = look_at_group(c, &w);
    if (!status)
        status = measure(c, &ask, sample);
    if (!status)
        status = look_at_nodes(c, &w);
    if (!status)
        status = write_answer(c, &w, json);
    json_decref(w.job);
    json_decref(w.nodes);
    json_decref(w.others);
    json_decref(w.members);
    return status;
}
