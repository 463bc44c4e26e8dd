/* settler.c: see settler.h. A batch goes open -> closed -> sent -> spare; a lost reply brings it
 * back to closed. */
#include "worker/settler.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/crash_point.h"
#include "base/error.h"
#include "worker/worker.h"

struct batch {
    struct batch *prev, *next;
    struct settler *settler;
    struct settlement *verdicts;
    unsigned long order;               /* of its making: jobs are given back in order */
    unsigned link;                     /* the worker's `links` then */
    char incarnation[MOIL_ID_LEN + 1]; /* whose verdicts they are */
};

void moil_settler_init(struct settler *s, struct worker *w)
{
    *s = (struct settler){.worker = w};
}

static void batch_free(struct batch *b)
{
    moil_settlement_free(b->verdicts);
    free(b);
}

static void put_spare(struct settler *s, struct batch *b)
{
    moil_settlement_clear(b->verdicts);
    b->next = s->spare;
    s->spare = b;
    s->unsettled--;
}

void moil_settler_fini(struct settler *s)
{
    struct batch *b, *next;
    if (s->open)
        batch_free(s->open);
    DL_FOREACH_SAFE(s->closed, b, next)
        batch_free(b);
    for (b = s->spare; b; b = next) {
        next = b->next;
        batch_free(b);
    }
}

static struct batch *batch_new(struct settler *s)
{
    struct batch *b = s->spare;
    if (b) {
        s->spare = b->next;
    } else {
        b = calloc(1, sizeof *b);
        if (b && !(b->verdicts = moil_settlement_new())) {
            free(b);
            b = NULL;
        }
        if (!b)
            return NULL;
        b->settler = s;
    }
    memcpy(b->incarnation, s->worker->incarnation, sizeof b->incarnation);
    b->order = s->made++;
    b->link = s->worker->links;
    s->unsettled++;
    return b;
}

static void close_open(struct settler *s)
{
    if (s->open)
        DL_APPEND(s->closed, s->open);
    s->open = NULL;
}

struct settlement *moil_settler_batch(struct settler *s, size_t bytes)
{
    if (s->open && (moil_settlement_count(s->open->verdicts) == MOIL_BATCH_MAX ||
                    moil_settlement_bytes(s->open->verdicts) + bytes > MOIL_SETTLER_BYTES))
        moil_settler_flush(s);
    if (!s->open)
        s->open = batch_new(s);
    return s->open ? s->open->verdicts : NULL;
}

static int by_order(const struct batch *a, const struct batch *b)
{
    return a->order < b->order ? -1 : a->order > b->order;
}

static void sent_cb(void *data, int err, const struct reply *reply)
{
    struct batch *b = data;
    struct settler *s = b->settler;
    struct worker *w = s->worker;
    s->sent--;
    MOIL_CRASH_POINT_IF(!err, "settle.answered");
    if (!err || err == MOIL_EFENCED || strcmp(b->incarnation, w->incarnation) != 0) {
        bool ours = strcmp(b->incarnation, w->incarnation) == 0;
        put_spare(s, b);
        s->answered = true;
        if (err == MOIL_EFENCED && ours)
            moil_worker_fenced(w);
    } else {
        struct slice why = moil_reply_slice(reply);
        if (reply && err != MOIL_ENOSCRIPT && err != MOIL_EREADONLY) /* the link tells of that */
            log_warning("settling failed, will be tried again: %.*s",
                        (int)(why.n < 200 ? why.n : 200), why.p);
        moil_settlement_doubt(b->verdicts);
        DL_INSERT_INORDER(s->closed, b, by_order);
        if (err != MOIL_ENOSCRIPT) { /* a flushed cache is cured by sending again; the rest needs
                                        time */
            ev_timer_again(w->loop, &w->retry);
            return;
        }
    }
}

void moil_settler_flush(struct settler *s)
{
    struct worker *w = s->worker;
    close_open(s);
    if (moil_link_state(w->link) != LINK_UP)
        return; /* on_up flushes again */
    while (s->closed && !ev_is_active(&w->retry)) {
        struct batch *b = s->closed;
        if (b->link != w->links)
            moil_settlement_doubt(b->verdicts);
        int err =
            moil_settlement_send(b->verdicts, &w->broker, slice_str(b->incarnation), sent_cb, b);
        if (err)
            return;
        DL_DELETE(s->closed, b);
        s->sent++;
    }
}

void moil_settler_void(struct settler *s)
{
    close_open(s);
    while (s->closed) {
        struct batch *b = s->closed;
        DL_DELETE(s->closed, b);
        put_spare(s, b);
    }
}
