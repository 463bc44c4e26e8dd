/* wait.c: results out. A part of the client (client.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/client.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "queue/message.h"

enum { BLPOP_S = 5, BLPOP_MARGIN_MS = 5000 };
static const double RELINK_S = 0.5; /* what a new link may take when the caller only looks */

/* One moil_client_await. */
struct waiting {
    struct inbox_wait wait;
    struct moil_client *client;
    bool done;
    int status;
    int (*on_progress)(void *data, struct slice state, struct slice meta);
    void *data;
    struct buffer *record;
    struct buffer seen; /* the progress told last: a repeated question brings it again */
};

static void progress(struct waiting *w, struct slice text)
{
    struct note note;
    if (!w->on_progress || moil_note_decode(text, &note) != 0 || slice_is(note.state, "STARTED") ||
        slice_eq(text, moil_buffer_slice(&w->seen)))
        return;
    moil_buffer_clear(&w->seen);
    moil_buffer_add_slice(&w->seen, text);
    if (w->on_progress(w->data, note.state, note.meta) != 0) {
        moil_inbox_cancel(&w->client->inbox, &w->wait);
        w->done = true;
        w->status =
            moil_client_fail(w->client, MOIL_STATUS_TIMEOUT, "waiting was ended by the caller");
    }
}

static void event_cb(struct inbox_wait *wait, enum inbox_event event, int err, struct slice text)
{
    struct waiting *w = wait->data;
    if (event == INBOX_PROGRESS) {
        progress(w, text);
        return;
    }
    w->done = true;
    if (event == INBOX_ENDED) {
        moil_buffer_add_slice(w->record, text);
        w->status = w->record->failed ? MOIL_STATUS_NOMEM : 0;
    } else if (event == INBOX_UNKNOWN) {
        w->status = moil_client_fail(
            w->client, MOIL_STATUS_UNKNOWN,
            "no job under this id: never enqueued, or its result expired or was not kept");
    } else {
        w->status = moil_client_fail(w->client, moil_client_status(err), "Redis refused: %.*s",
                                     (int)text.n, text.p ? text.p : "");
    }
}

static void unblocked(void *data, int err, const struct reply *reply)
{
    struct moil_client *c = data;
    c->blocked = false;
    if (err && reply)
        c->refused = err; /* run_wait pauses: a turn of the loop from in here may free the link */
    if (!err && moil_reply_count(reply) == 2)
        moil_inbox_deliver(&c->inbox, moil_reply_slice(moil_reply_at(reply, 1)));
}

static void block(struct moil_client *c)
{
    if (c->blocked || moil_link_state(c->waiting) != LINK_UP)
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

/* Registers, and asks again after a lost link and every 10 s, until the end or the deadline. */
static void run_wait(struct moil_client *c, struct waiting *w, struct slice id)
{
    int64_t ask_again_us = 0;
    enum link_state seen = LINK_DOWN;
    moil_link_start(c->waiting);
    while (!w->done && !c->expired) {
        bool up = moil_link_state(c->link) == LINK_UP;
        int64_t now = moil_clock_monotonic_us();
        if (!w->wait.job && up) {
            int err = moil_inbox_wait(&c->inbox, &w->wait, id);
            if (err && !moil_link_is_transient(err)) {
                w->status = moil_client_fail(c, moil_client_status(err), "%s", moil_strerror(err));
                return;
            }
            ask_again_us = now + MOIL_INBOX_REFRESH_MS * INT64_C(1000);
        } else if (up && (seen != LINK_UP || now >= ask_again_us)) {
            moil_inbox_refresh(&c->inbox);
            ask_again_us = now + MOIL_INBOX_REFRESH_MS * INT64_C(1000);
        }
        seen = moil_link_state(c->link);
        block(c);
        moil_client_turn(c, EVRUN_ONCE); /* BLPOP returns every 5 s at the latest */
        if (c->refused)
            moil_client_pause(c, c->refused);
        c->refused = 0;
    }
    if (!w->done && moil_link_state(c->link) != LINK_UP)
        w->status = moil_client_fail(c, MOIL_STATUS_UNAVAILABLE, "%s", moil_link_error(c->link));
    else if (!w->done)
        w->status =
            moil_client_fail(c, MOIL_STATUS_TIMEOUT, "the job did not end within the time given");
}

int moil_client_await(struct moil_client *c, struct slice id, double timeout_s,
                      int (*on_progress)(void *data, struct slice state, struct slice meta),
                      void *data, struct buffer *record)
{
    if (!moil_name_is_valid(id))
        return moil_client_fail(c, MOIL_STATUS_INVALID,
                                "an id is 1 to 200 printable characters without space");
    /* A link that was lost is waited for no longer than the job. */
    double seconds = timeout_s > RELINK_S ? timeout_s : RELINK_S;
    bool is_short = c->was_up && timeout_s >= 0 && seconds < c->deadline_s;
    moil_client_begin(c, is_short ? seconds : c->deadline_s);
    int status = moil_client_connect(c);
    if (status)
        return status;
    struct waiting w = {.client = c, .on_progress = on_progress, .data = data, .record = record};
    w.wait.cb = event_cb;
    w.wait.data = &w;
    moil_client_begin(c, timeout_s);
    run_wait(c, &w, id);
    moil_inbox_cancel(&c->inbox, &w.wait);
    moil_buffer_fini(&w.seen);
    return w.status;
}

/* --- the public face -------------------------------------------------------------------------- */

struct progress_fn {
    moil_progress_fn *fn;
    void *data;
};

static int call_progress(void *data, struct slice state, struct slice meta)
{
    const struct progress_fn *p = data;
    char name[MOIL_NAME_MAX + 1];
    snprintf(name, sizeof name, "%.*s", (int)state.n, state.p);
    char *text = moil_mem_strndup(meta.p ? meta.p : "", meta.n);
    int stop = text ? p->fn(p->data, name, text, meta.n) : 1;
    moil_mem_free(text);
    return stop;
}

int moil_wait(moil_client *c, const char *id, double timeout, moil_progress_fn *on_progress,
              void *data, moil_result *out)
{
    struct progress_fn fn = {on_progress, data};
    struct buffer record;
    struct outcome_record o;
    moil_buffer_init(&record);
    int status = moil_client_await(c, slice_str(id), timeout, on_progress ? call_progress : NULL,
                                   &fn, &record);
    if (!status && moil_outcome_decode(moil_buffer_slice(&record), &o) != 0)
        status = moil_client_fail(c, MOIL_STATUS_BAD_RECORD,
                                  "the job's record is damaged or not moil's");
    if (!status) {
        char *value = moil_mem_alloc(o.value.n + 1);
        if (!value) {
            status = MOIL_STATUS_NOMEM;
        } else {
            memcpy(value, o.value.p, o.value.n);
            value[o.value.n] = '\0';
            snprintf(out->state, sizeof out->state, "%.*s", (int)o.state.n, o.state.p);
            out->value = value;
            out->value_len = o.value.n;
        }
    }
    moil_buffer_fini(&record);
    return status;
}
