/* settler.c: see settler.h. A batch goes open -> closed -> sent -> spare; a lost reply brings it
 * back to closed. */
#include "worker/settler.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/crash_point.h"
#include "base/error.h"
#include "base/mem.h"
#include "worker/worker.h"

enum { RETRY_S = 1, REFUSED_MAX_S = 60 };

struct batch {
    struct batch *prev, *next;
    struct settler *settler;
    struct settlement *verdicts;
    unsigned long order;               /* of its making: jobs are given back in order */
    unsigned link;                     /* the worker's `links` then */
    unsigned want;                     /* jobs that it asks for, while it is sent */
    char incarnation[MOIL_ID_LEN + 1]; /* whose verdicts they are */
};

void moil_settler_init(struct settler *s, struct worker *w)
{
    *s = (struct settler){.worker = w};
}

static void batch_free(struct batch *b)
{
    moil_settlement_free(b->verdicts);
    moil_mem_free(b);
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
        b = moil_mem_zalloc(1, sizeof *b);
        if (b && !(b->verdicts = moil_settlement_new())) {
            moil_mem_free(b);
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

/* Verdicts that were refused as too late: of a batch that had been settled before its reply was
 * lost, mostly. */
static void tell_late(const struct batch *b, const struct reply *reply)
{
    size_t count = moil_settlement_count(b->verdicts);
    int64_t settled = moil_reply_integer(moil_reply_count(reply) ? moil_reply_at(reply, 0) : reply);
    if (settled >= 0 && (size_t)settled < count)
        log_info("%zu of %zu verdicts changed nothing: their jobs were not in flight here any more",
                 count - (size_t)settled, count);
}

/* Seconds until a batch is sent again. What time alone may cure is tried each second; what Redis
 * refuses for good (a missing right, a key of another type) more and more rarely, and until it is
 * cured: a verdict is not thrown away. */
static double delay_after(struct settler *s, int err, const struct batch *b, struct slice why)
{
    if (moil_link_is_transient(err)) {
        if (why.p && err != MOIL_EREADONLY) /* the link tells of that */
            log_warning("settling failed, will be tried again: %.*s",
                        (int)(why.n < 200 ? why.n : 200), why.p);
        return RETRY_S;
    }
    int seconds = RETRY_S << s->refusals;
    seconds = seconds < REFUSED_MAX_S ? seconds : REFUSED_MAX_S;
    s->refusals += seconds < REFUSED_MAX_S;
    log_error("Redis refuses %zu verdicts, which are kept and sent again in %d s: %.*s",
              moil_settlement_count(b->verdicts), seconds, (int)(why.n < 200 ? why.n : 200),
              why.p ? why.p : "");
    return seconds;
}

static void acknowledged(struct settler *s, struct batch *b)
{
    put_spare(s, b);
    s->refusals = 0;
    s->worker->retry.repeat = RETRY_S;
    s->answered = true;
}

/* A flushed cache is cured by sending again; the rest needs time. */
static void unanswered(struct settler *s, struct batch *b, int err, struct slice why)
{
    struct worker *w = s->worker;
    moil_settlement_doubt(b->verdicts);
    DL_INSERT_INORDER(s->closed, b, by_order);
    if (err != MOIL_ENOSCRIPT) {
        w->retry.repeat = delay_after(s, err, b, why);
        ev_timer_again(w->loop, &w->retry);
    }
}

static void sent_cb(void *data, int err, const struct reply *reply)
{
    struct batch *b = data;
    struct settler *s = b->settler;
    struct worker *w = s->worker;
    bool ours = strcmp(b->incarnation, w->incarnation) == 0;
    unsigned want = b->want;
    s->sent--;
    MOIL_CRASH_POINT_IF(!err, "settle.answered");
    if (!err)
        tell_late(b, reply);
    if (!err || err == MOIL_EFENCED || !ours)
        acknowledged(s, b);
    else
        unanswered(s, b, err, moil_reply_slice(reply));
    if (err == MOIL_EFENCED && ours)
        moil_worker_fenced(w);
    moil_fetcher_handed(&w->fetcher, want, err || !ours ? NULL : reply);
}

static int send(struct settler *s, struct batch *b)
{
    struct worker *w = s->worker;
    struct slice order[MOIL_QUEUES_MAX];
    b->want = strcmp(b->incarnation, w->incarnation) != 0
                  ? 0
                  : moil_fetcher_make_room(&w->fetcher, moil_settlement_linked(b->verdicts), order);
    struct settler_room room = {slice_str(b->incarnation), b->want, order, w->queues.count};
    int err = moil_settlement_send(b->verdicts, &w->broker, &room, sent_cb, b);
    if (err)
        moil_fetcher_handed(&w->fetcher, b->want, NULL);
    return err;
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
        if (send(s, b))
            return;
        DL_DELETE(s->closed, b);
        s->sent++;
    }
}

bool moil_settler_is_due(const struct settler *s, unsigned left)
{
    return s->open && s->sent == 0 && moil_settlement_linked(s->open->verdicts) >= left;
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
