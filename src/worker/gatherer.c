/* gatherer.c: see gatherer.h. A stack of groups under way, the outermost at the bottom, each with
 * the place that it has reached; one question at a time. */
#include "worker/gatherer.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crash_point.h"
#include "base/error.h"
#include "base/mem.h"
#include "worker/delivery.h"
#include "worker/worker.h"

enum {
    AGAIN_MS = 100,
    MESSAGE_MAX = 400,
};

struct level {
    struct level *up;
    int64_t from;
    bool begun; /* a result stands before the next one */
    size_t id_len;
    char id[]; /* of the group */
};

struct gathering {
    struct delivery *delivery; /* NULL: abandoned, a reply is owed */
    struct worker *worker;
    struct level *top;
    unsigned depth;
    bool owed; /* the reply to a question */
    ev_timer again;
    struct buffer text; /* the arguments to be */
};

static void free_levels(struct gathering *g)
{
    for (struct level *l = g->top, *up; l; l = up) {
        up = l->up;
        moil_mem_free(l);
    }
    g->top = NULL;
}

static void gathering_free(struct gathering *g)
{
    ev_timer_stop(g->worker->loop, &g->again);
    free_levels(g);
    moil_buffer_fini(&g->text);
    moil_mem_free(g);
}

static bool push(struct gathering *g, struct slice id)
{
    struct level *l = moil_mem_alloc(sizeof *l + id.n);
    if (!l)
        return false;
    *l = (struct level){.up = g->top, .id_len = id.n};
    memcpy(l->id, id.p, id.n);
    g->top = l;
    g->depth++;
    moil_buffer_add_char(&g->text, '[');
    return true;
}

static void pop(struct gathering *g)
{
    struct level *l = g->top;
    g->top = l->up;
    g->depth--;
    moil_mem_free(l);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void fail(struct gathering *g, const char *code, const char *message)
{
    struct buffer *error = &g->worker->error;
    free_levels(g);
    moil_buffer_clear(error);
    moil_buffer_add_str(error, "{\"code\":");
    moil_buffer_add_json(error, slice_str(code));
    moil_buffer_add_str(error, ",\"message\":");
    moil_buffer_add_json(error, slice_str(message));
    moil_buffer_add_char(error, '}');
    moil_delivery_gathered(g->delivery, slice_of("", 0), moil_buffer_slice(error));
}

/* The list becomes the first of the job's arguments. */
static void finish(struct gathering *g)
{
    struct slice args = g->delivery->job.args;
    size_t at = 1; /* behind the bracket */
    while (at < args.n && strchr(" \t\r\n", args.p[at]))
        at++;
    if (at < args.n && args.p[at] != ']')
        moil_buffer_add_char(&g->text, ',');
    moil_buffer_add(&g->text, args.p + at, args.n - at);
    if (g->text.failed)
        fail(g, "MemoryLimitExceeded", "not enough memory for the results of its group");
    else
        moil_delivery_gathered(g->delivery, moil_buffer_slice(&g->text), slice_of("", 0));
}

/* --- a page ----------------------------------------------------------------------------------- */

/* A page: how many members there are, how many ends are awaited, how many were read, their values
 * as one text, and the group that ended it, which is gone into next. False: it has failed. */
static bool take_members(struct gathering *g, const struct reply *page)
{
    struct level *l = g->top;
    struct slice values = moil_reply_slice(moil_reply_at(page, 3));
    struct slice group = moil_reply_slice(moil_reply_at(page, 4));
    if (values.n) {
        moil_buffer_add_str(&g->text, l->begun ? "," : "");
        moil_buffer_add_slice(&g->text, values);
        l->begun = true;
    }
    l->from += moil_reply_integer(moil_reply_at(page, 2));
    if (!group.n)
        return true;
    moil_buffer_add_str(&g->text, l->begun ? "," : "");
    l->begun = true;
    if (g->depth == MOIL_GATHERER_DEPTH) {
        fail(g, "TooLarge", "the results of groups nested deeper than 64 levels");
        return false;
    }
    if (!push(g, group))
        g->text.failed = true;
    return true;
}

static bool check_size(struct gathering *g)
{
    size_t max = g->worker->options.max_payload * MOIL_GATHERER_TIMES;
    char message[MESSAGE_MAX];
    if (g->text.failed) {
        fail(g, "MemoryLimitExceeded", "not enough memory for the results of its group");
        return false;
    }
    if (g->text.len <= max)
        return true;
    snprintf(message, sizeof message,
             "the results of its group have more than the %zu bytes that a job can be given: let "
             "its members return less, or keys to where the data is",
             max);
    fail(g, "TooLarge", message);
    return false;
}

static void ask(struct gathering *g);

/* The innermost group has no more members: back to the one around it. */
static void close_level(struct gathering *g)
{
    moil_buffer_add_char(&g->text, ']');
    pop(g);
    if (g->top)
        ask(g);
    else
        finish(g);
}

static void take_page(struct gathering *g, const struct reply *page)
{
    struct level *l = g->top;
    int64_t total = moil_reply_integer(moil_reply_at(page, 0)), before = l->from;
    if (moil_reply_type(page) == REPLY_NIL && !l->up) {
        fail(g, "UnknownJob", "the group whose results it gets is not known any more");
        return;
    }
    if (!take_members(g, page) || !check_size(g))
        return;
    bool over = g->top == l && (l->from >= total || l->from == before);
    if (over)
        close_level(g);
    else
        ask(g);
}

/* --- asking ----------------------------------------------------------------------------------- */

static void again_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop, (void)events;
    ask(timer->data);
}

static void ask_later(struct gathering *g, double seconds)
{
    ev_timer_stop(g->worker->loop, &g->again);
    ev_timer_set(&g->again, seconds, 0);
    ev_timer_start(g->worker->loop, &g->again);
}

static void answered(void *data, int err, const struct reply *reply)
{
    struct gathering *g = data;
    char message[MESSAGE_MAX];
    g->owed = false;
    MOIL_CRASH_POINT_IF(!err, "gather.answered");
    if (!g->delivery) {
        gathering_free(g);
    } else if (!err) {
        take_page(g, reply);
    } else if (moil_link_is_transient(err)) { /* for as long as Redis is away: it has not started */
        ask_later(g, err == MOIL_ENOSCRIPT ? 0 : AGAIN_MS / 1000.0);
    } else {
        struct slice why = moil_reply_slice(reply);
        snprintf(message, sizeof message, "the results of its group cannot be read: %.*s",
                 (int)(why.n < 200 ? why.n : 200), why.p ? why.p : "");
        fail(g, moil_error_code(err), message);
    }
}

static void ask(struct gathering *g)
{
    struct broker *b = &g->worker->broker;
    moil_args_clear(&b->args);
    moil_args_add(&b->args, g->top->id, g->top->id_len);
    moil_args_int(&b->args, g->top->from);
    moil_args_int(&b->args, MOIL_BATCH_MAX);
    moil_args_str(&b->args, "j");
    g->owed = moil_broker_eval(b, SCRIPT_GATHER, answered, g) == 0;
    if (!g->owed)
        ask_later(g, AGAIN_MS / 1000.0);
}

bool moil_gatherer_start(struct delivery *d)
{
    struct gathering *g = moil_mem_zalloc(1, sizeof *g);
    if (!g)
        return false;
    g->delivery = d;
    g->worker = d->worker;
    moil_buffer_init(&g->text);
    ev_timer_init(&g->again, again_cb, 0, 0);
    g->again.data = g;
    moil_buffer_add_char(&g->text, '[');
    if (!push(g, slice_str(d->envelope.gather))) {
        gathering_free(g);
        return false;
    }
    d->gathering = g;
    ask(g);
    return true;
}

void moil_gatherer_abandon(struct delivery *d)
{
    struct gathering *g = d->gathering;
    if (!g)
        return;
    d->gathering = NULL;
    g->delivery = NULL;
    ev_timer_stop(g->worker->loop, &g->again);
    if (!g->owed)
        gathering_free(g);
}
