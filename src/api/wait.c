/* wait.c: results out. A part of the client (client.h).
 *
 * A request of its own kind: once the link is up it listens, until the inbox says that the job has
 * ended. The inbox is the client's, and so is the BLPOP that brings its messages; both are kept
 * going while anything is waited for. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "api/client.h"
#include "base/error.h"
#include "base/mem.h"
#include "queue/message.h"

enum { BLPOP_S = 5, BLPOP_MARGIN_MS = 5000 };
static const double RELINK_S = 0.5; /* what a new link may take when the caller only looks */
static const double LISTEN_AGAIN_S = 0.2;

typedef int progress_fn(void *data, struct slice state, struct slice meta);

/* A change of the job's own state, to be told. */
struct progress {
    struct progress *prev, *next;
    size_t len;
    char text[]; /* as the inbox has it */
};

struct waiting {
    struct moil_request request;
    struct inbox_wait wait;
    char id[MOIL_NAME_MAX + 1];
    double timeout_s;
    progress_fn *on_progress;   /* of moil_client_await; its data is the request's */
    moil_progress_fn *progress; /* of a program; one of the two, or none */
    struct progress *progresses;
    struct buffer seen; /* the one that came last: a repeated question brings it again */
    bool *gone;         /* is set when it is freed */
    struct buffer record;
};

/* --- listening -------------------------------------------------------------------------------- */

static void unblocked(void *data, int err, const struct reply *reply)
{
    struct moil_client *c = data;
    c->blocked = false;
    if (!err && moil_reply_count(reply) == 2)
        moil_inbox_deliver(&c->inbox, moil_reply_slice(moil_reply_at(reply, 1)));
    if (!err)
        moil_client_listen(c);
    if (!err || !reply) /* else the link's coming up does it */
        return;
    ev_timer_set(&c->listen, LISTEN_AGAIN_S, 0);
    ev_timer_start(c->loop, &c->listen);
}

void moil_client_listen(struct moil_client *c)
{
    if (c->blocked || moil_inbox_is_empty(&c->inbox) || moil_link_state(c->waiting) != LINK_UP)
        return;
    struct buffer key;
    moil_buffer_init(&key);
    moil_keys_inbox(&c->broker.keys, slice_str(c->inbox.owner), &key);
    struct args *a = &c->broker.args;
    moil_args_clear(a);
    moil_args_str(a, "BLPOP");
    moil_args_slice(a, moil_buffer_slice(&key));
    moil_args_int(a, BLPOP_S);
    c->blocked = !key.failed &&
                 moil_link_call(c->waiting, a, BLPOP_S * 1000 + BLPOP_MARGIN_MS, unblocked, c) == 0;
    moil_buffer_fini(&key);
}

void moil_client_listen_cb(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)events;
    ev_timer_stop(loop, w);
    moil_client_listen(w->data);
}

void moil_client_refresh_cb(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)events;
    struct moil_client *c = w->data;
    if (moil_inbox_is_empty(&c->inbox))
        ev_timer_stop(loop, w);
    else
        moil_inbox_refresh(&c->inbox);
}

/* --- what the inbox says ---------------------------------------------------------------------- */

static void add_progress(struct waiting *w, struct slice text)
{
    struct note note;
    if ((!w->on_progress && !w->progress) || moil_note_decode(text, &note) != 0 ||
        slice_is(note.state, "STARTED") || slice_eq(text, moil_buffer_slice(&w->seen)))
        return;
    struct progress *p = moil_mem_alloc(sizeof *p + text.n);
    moil_buffer_clear(&w->seen);
    moil_buffer_add_slice(&w->seen, text);
    if (!p)
        return; /* the next one will be told */
    p->len = text.n;
    memcpy(p->text, text.p, text.n);
    DL_APPEND(w->progresses, p);
    moil_request_notify(&w->request);
}

static void event_cb(struct inbox_wait *wait, enum inbox_event event, int err, struct slice text)
{
    struct waiting *w = wait->data;
    struct moil_request *r = &w->request;
    int status = 0;
    switch (event) {
    case INBOX_PROGRESS:
        add_progress(w, text);
        return;
    case INBOX_ENDED:
        moil_buffer_add_slice(&w->record, text);
        if (w->record.failed)
            status = moil_request_fail(r, MOIL_STATUS_NOMEM, "out of memory");
        break;
    case INBOX_UNKNOWN:
        status = moil_request_fail(
            r, MOIL_STATUS_UNKNOWN,
            "no job under this id: never enqueued, or its result expired or was not kept");
        break;
    case INBOX_FAILED:
        status = moil_request_fail(r, moil_client_status(err), "Redis refused: %.*s", (int)text.n,
                                   text.p ? text.p : "");
        break;
    }
    moil_request_end(r, status);
}

/* --- the operation ---------------------------------------------------------------------------- */

/* The link is up: from now on the time that the job may take counts. */
static int listen(struct moil_request *r)
{
    struct waiting *w = (struct waiting *)r;
    struct moil_client *c = r->client;
    r->asked = false;
    int err = moil_inbox_wait(&c->inbox, &w->wait, slice_str(w->id));
    if (err)
        return err;
    r->state = REQUEST_LISTENING;
    moil_request_set_deadline(r, w->timeout_s);
    if (moil_link_state(c->waiting) == LINK_STOPPED)
        moil_link_start(c->waiting);
    if (!ev_is_active(&c->refresh))
        ev_timer_again(c->loop, &c->refresh);
    moil_client_listen(c);
    return 0;
}

static void stop(struct moil_request *r)
{
    moil_inbox_cancel(&r->client->inbox, &((struct waiting *)r)->wait);
}

static void drop_progresses(struct waiting *w)
{
    struct progress *p, *next;
    DL_FOREACH_SAFE(w->progresses, p, next) {
        DL_DELETE(w->progresses, p);
        moil_mem_free(p);
    }
}

static bool has_progress(const struct moil_request *r)
{
    return ((const struct waiting *)r)->progresses != NULL;
}

/* Not 0: the program wants no more. The request may be gone afterwards. */
static int call_program(struct waiting *w, struct slice state, struct slice meta)
{
    if (w->on_progress)
        return w->on_progress(w->request.data, state, meta);
    char name[MOIL_NAME_MAX + 1];
    snprintf(name, sizeof name, "%.*s", (int)state.n, state.p);
    char *text = moil_mem_strndup(meta.p ? meta.p : "", meta.n);
    int stop = text ? w->progress(w->request.data, name, text, meta.n) : 1;
    moil_mem_free(text);
    return stop;
}

static void tell_progress(struct moil_request *r)
{
    struct waiting *w = (struct waiting *)r;
    struct progress *p = w->progresses;
    struct note note = {.state = {NULL, 0}};
    bool gone = false;
    DL_DELETE(w->progresses, p);
    moil_note_decode(slice_of(p->text, p->len), &note);
    w->gone = &gone;
    int stopped = call_program(w, note.state, note.meta);
    moil_mem_free(p);
    if (gone)
        return;
    w->gone = NULL;
    if (!stopped)
        return;
    drop_progresses(w);
    moil_request_end(r, MOIL_STATUS_TIMEOUT);
    r->status = moil_request_fail(r, MOIL_STATUS_TIMEOUT, "waiting was ended by the caller");
}

/* Decodes the record in place: the value gets its NUL, as the body behind it does not matter. */
static int give(struct waiting *w, moil_result *out)
{
    struct outcome_record o;
    if (moil_outcome_decode(moil_buffer_slice(&w->record), &o) != 0)
        return moil_request_fail(&w->request, MOIL_STATUS_BAD_RECORD,
                                 "the job's record is damaged or not moil's");
    char *value = moil_mem_alloc(o.value.n + 1);
    if (!value)
        return moil_request_fail(&w->request, MOIL_STATUS_NOMEM, "out of memory");
    memcpy(value, o.value.p, o.value.n);
    value[o.value.n] = '\0';
    snprintf(out->state, sizeof out->state, "%.*s", (int)o.state.n, o.state.p);
    out->value = value;
    out->value_len = o.value.n;
    return 0;
}

static void tell(struct moil_request *r)
{
    moil_result result = {.value = NULL};
    int status = r->status ? r->status : give((struct waiting *)r, &result);
    if (r->fn.waited)
        r->fn.waited(r->data, status, r->errstr, status ? NULL : &result);
    moil_mem_free(result.value);
}

static void free_waiting(struct moil_request *r)
{
    struct waiting *w = (struct waiting *)r;
    if (w->gone)
        *w->gone = true;
    drop_progresses(w);
    moil_buffer_fini(&w->seen);
    moil_buffer_fini(&w->record);
}

static const struct operation operation = {
    .late = "answer",
    .send = listen,
    .stop = stop,
    .note = tell_progress,
    .has_note = has_progress,
    .tell = tell,
    .free = free_waiting,
};

/* Not started yet; NULL with the sentence set. */
static struct waiting *make(struct moil_client *c, struct slice id, double timeout_s)
{
    moil_client_begin(c, c->deadline_s);
    if (!moil_name_is_valid(id) || isnan(timeout_s)) {
        moil_client_fail(c, MOIL_STATUS_INVALID,
                         isnan(timeout_s) ? "a timeout is a number"
                                          : "an id is 1 to 200 printable characters without space");
        return NULL;
    }
    struct waiting *w = moil_request_new(c, &operation, sizeof *w);
    if (!w)
        return NULL;
    snprintf(w->id, sizeof w->id, "%.*s", (int)id.n, id.p);
    w->timeout_s = timeout_s;
    w->wait.cb = event_cb;
    w->wait.data = w;
    moil_buffer_init(&w->seen);
    moil_buffer_init(&w->record);
    return w;
}

/* A link that was lost is waited for no longer than the job. */
static void start(struct waiting *w)
{
    struct moil_client *c = w->request.client;
    double seconds = w->timeout_s > RELINK_S ? w->timeout_s : RELINK_S;
    bool is_short = c->was_up && w->timeout_s >= 0 && seconds < c->deadline_s;
    moil_request_start(&w->request, is_short ? seconds : c->deadline_s);
}

int moil_client_await(struct moil_client *c, struct slice id, double timeout_s,
                      int (*on_progress)(void *data, struct slice state, struct slice meta),
                      void *data, struct buffer *record)
{
    struct waiting *w = make(c, id, timeout_s);
    if (!w)
        return c->status;
    w->on_progress = on_progress;
    w->request.data = data;
    start(w);
    int status = moil_client_run(c, &w->request);
    if (!status)
        moil_buffer_add_slice(record, moil_buffer_slice(&w->record));
    moil_request_release(&w->request);
    return !status && record->failed ? moil_client_fail(c, MOIL_STATUS_NOMEM, "out of memory")
                                     : status;
}

/* --- the public faces ------------------------------------------------------------------------- */

int moil_wait(moil_client *c, const char *id, double timeout, moil_progress_fn *on_progress,
              void *data, moil_result *out)
{
    struct waiting *w = make(c, slice_str(id ? id : ""), timeout);
    if (!w)
        return c->status;
    w->progress = on_progress;
    w->request.data = data;
    start(w);
    int status = moil_client_run(c, &w->request);
    if (!status && (status = give(w, out)) != 0)
        moil_client_fail(c, status, "%s", w->request.errstr);
    moil_request_release(&w->request);
    return status;
}

moil_request *moil_async_wait(moil_async *client, const char *id, double timeout,
                              moil_progress_fn *on_progress, moil_waited_fn *fn, void *data)
{
    struct waiting *w = make(&client->client, slice_str(id ? id : ""), timeout);
    if (!w)
        return NULL;
    w->progress = on_progress;
    w->request.fn.waited = fn;
    w->request.data = data;
    start(w);
    return &w->request;
}
