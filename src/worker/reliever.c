/* reliever.c: gives back the jobs that a worker of this node has reserved and does not start: it is
 * stuck in a C call, stopped, or all its slots are taken for long. A part of the agent (agent.h).
 *
 * A worker whose first reserved job (claims.h) has been the same for STUCK_US, and that did not
 * merely wait for a CPU meanwhile, loses all that it has reserved: each is seized and goes back to
 * the front of its queue. When no answer comes, the next look seizes them again, unless the worker
 * has come back meanwhile: then that asks Redis itself (dispute.c).
 *
 * A worker whose loop stands still reads no inbox: whether the job on its CPU is revoked is looked
 * up in its place, and told on its page.
 *
 * The wake-ups of a stuck worker are nobody's use either: a message to its inbox ends its BLPOP. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/inbox.h"
#include "worker/agent.h"

enum {
    STUCK_US = 50 * 1000,
    LOOK_MS = 30,         /* while something is reserved … */
    IDLE_LOOK_MS = 200,   /* … and while nothing is */
    DEAF_US = 200 * 1000, /* a loop that stands still so long does not read its inbox */
    LATE_US = 500 * 1000, /* a look that comes so late saw nothing of what was between: we stood
                             still */
    SAY_EVERY_US = 60 * 1000 * 1000,
};

/* What the last look at a worker's page saw. */
struct watch {
    uint64_t front;            /* serial of the first job that it could start; 0: none */
    int64_t front_us;          /* since when, by our clock */
    int64_t probed_us;         /* when it had waited for a CPU for … */
    int64_t waited_us;         /* … so long; -1: not probed since the front came */
    uint64_t seized;           /* serials below it are seized or over */
    int64_t heartbeat_us;      /* the page's … */
    int64_t heartbeat_seen_us; /* … and since when, by our clock */
    int64_t asked_us;          /* when we last looked into its inbox in its place */
    bool roused;               /* its BLPOP was ended, for this heartbeat */
    int64_t said_us;           /* when we last logged something of it; 0: never */
};

/* One script's worth of seized jobs. */
struct relief {
    struct relief *next;
    struct agent *agent;
    int slot;
    size_t count;
    uint64_t serials[MOIL_BATCH_MAX];
    char ids[MOIL_BATCH_MAX][MOIL_NAME_MAX + 1];
};

static struct page *page_at(struct agent *a, int slot)
{
    return a->options.page_at(a->options.data, slot);
}

static void decide(struct relief *r, enum claim claim)
{
    struct claims *c = &page_at(r->agent, r->slot)->claims;
    for (size_t i = 0; i < r->count; i++)
        moil_claims_decide(c, r->serials[i], claim);
    if (claim == CLAIM_UNSURE)
        r->agent->watches[r->slot].seized = 0; /* they may be seized again */
}

static void relieved(void *data, int err, const struct reply *reply)
{
    struct relief *r = data;
    MOIL_CRASH_POINT("agent.relieved");
    if (err && err != MOIL_EFENCED && reply && err != MOIL_ENOSCRIPT)
        log_error("giving back jobs of a stuck worker: %.*s", (int)moil_reply_slice(reply).n,
                  moil_reply_slice(reply).p);
    if (err == MOIL_EFENCED || (!err && moil_reply_integer(reply) == 0))
        decide(r, CLAIM_RETURNED);
    else
        decide(r, err ? CLAIM_UNSURE : CLAIM_LEFT);
    moil_mem_free(r);
}

/* The incarnation is read behind the claims: a later one than they were made under is fenced off
 * from those jobs, and the one they were made under was then, by what fences it. */
static void send(struct relief *r, const char *incarnation)
{
    struct args *args = &r->agent->broker.args;
    moil_args_clear(args);
    moil_args_str(args, incarnation);
    for (size_t i = 0; i < r->count; i++)
        moil_args_str(args, r->ids[i]);
    if (moil_broker_eval(&r->agent->broker, SCRIPT_REQUEUE, relieved, r) != 0)
        relieved(r, MOIL_EREDIS, NULL);
}

/* Up to a batch from `from` on; NULL: there is nothing. Advances `from`. */
static struct relief *seize(struct agent *a, int slot, uint64_t *from)
{
    struct claims *c = &page_at(a, slot)->claims;
    struct relief *r = moil_mem_alloc(sizeof *r);
    if (!r)
        return NULL;
    r->agent = a;
    r->slot = slot;
    r->count = 0;
    uint64_t serial;
    while (r->count < MOIL_BATCH_MAX && (serial = moil_claims_front(c, *from)) != 0) {
        *from = serial + 1;
        if (moil_claims_seize(c, serial, r->ids[r->count]))
            r->serials[r->count++] = serial;
    }
    if (r->count > 0)
        return r;
    moil_mem_free(r);
    return NULL;
}

static void say(struct agent *a, int slot, size_t count)
{
    struct watch *watch = &a->watches[slot];
    const struct page *page = page_at(a, slot);
    if (watch->said_us && watch->front_us - watch->said_us < SAY_EVERY_US)
        return;
    watch->said_us = watch->front_us;
    log_info("worker %d has started none of its %zu reserved jobs for %d ms (on its CPU: %.*s): "
             "they go back to their queues",
             slot + 1, count, STUCK_US / 1000, MOIL_NAME_MAX,
             page->on_cpu[0] ? page->on_cpu : "none");
}

/* Each batch goes in front of what is there, so the last one goes first. */
static void relieve(struct agent *a, int slot)
{
    struct watch *watch = &a->watches[slot];
    struct relief *all = NULL, *r;
    size_t count = 0;
    uint64_t from = watch->front;
    while ((r = seize(a, slot, &from))) {
        count += r->count;
        LL_PREPEND(all, r);
    }
    char incarnation[MOIL_ID_LEN + 1];
    memcpy(incarnation, page_at(a, slot)->incarnation, sizeof incarnation);
    incarnation[MOIL_ID_LEN] = '\0';
    watch->seized = from;
    if (count > 0)
        say(a, slot, count);
    while ((r = all)) {
        all = r->next;
        MOIL_CRASH_POINT("agent.seized");
        send(r, incarnation);
    }
}

/* As the fetcher's own nudge. */
static void rouse(struct agent *a, const struct page *page)
{
    char incarnation[MOIL_ID_LEN + 1];
    memcpy(incarnation, page->incarnation, sizeof incarnation);
    incarnation[MOIL_ID_LEN] = '\0';
    moil_inbox_rouse(&a->broker, slice_str(incarnation));
}

/* The question whether the job on a CPU is to end. */
struct hearing {
    struct agent *agent;
    int slot;
    uint64_t turn;
    char incarnation[MOIL_ID_LEN + 1];
};

static void heard(void *data, int err, const struct reply *reply)
{
    struct hearing *h = data;
    struct page *page = page_at(h->agent, h->slot);
    if (!err && moil_reply_type(reply) == REPLY_INTEGER &&
        memcmp(page->incarnation, h->incarnation, MOIL_ID_LEN) == 0)
        atomic_store(&page->terminate, h->turn);
    moil_mem_free(h);
}

/* A job that cannot yield keeps its worker from reading "K<id>": we look for that. */
static void listen_for(struct agent *a, int slot, const struct page *page)
{
    struct hearing *h = moil_mem_zalloc(1, sizeof *h);
    struct buffer *text = &a->text;
    struct args *args = &a->broker.args;
    char id[MOIL_NAME_MAX + 1];
    if (!h)
        return;
    h->agent = a;
    h->slot = slot;
    h->turn = atomic_load(&page->turn);
    memcpy(h->incarnation, page->incarnation, MOIL_ID_LEN);
    memcpy(id, page->on_cpu, MOIL_NAME_MAX);
    id[MOIL_NAME_MAX] = '\0';
    moil_buffer_clear(text);
    moil_keys_inbox(&a->broker.keys, slice_str(h->incarnation), text);
    size_t key_len = text->len;
    moil_buffer_add_char(text, 'K');
    moil_buffer_add_str(text, id);
    moil_buffer_add_char(text, '\n');
    moil_args_clear(args);
    moil_args_str(args, "LPOS");
    moil_args_add(args, text->data, key_len);
    moil_args_add(args, text->data + key_len, text->len - key_len);
    if (text->failed || atomic_load(&page->turn) != h->turn ||
        moil_link_call(a->link, args, a->broker.timeout_ms, heard, h) != 0)
        moil_mem_free(h);
}

static void look_at_deaf(struct agent *a, int slot, const struct page *page, int64_t now_us)
{
    struct watch *watch = &a->watches[slot];
    if (page->on_cpu[0] && now_us - watch->heartbeat_seen_us >= DEAF_US &&
        now_us - watch->asked_us >= DEAF_US) {
        watch->asked_us = now_us;
        listen_for(a, slot, page);
    }
}

static void look_at_loop(struct agent *a, struct watch *watch, struct page *page, int64_t now_us)
{
    int64_t heartbeat_us = atomic_load(&page->heartbeat_us);
    if (heartbeat_us != watch->heartbeat_us) {
        watch->heartbeat_us = heartbeat_us;
        watch->heartbeat_seen_us = now_us;
        watch->roused = false;
    } else if (!watch->roused && page->on_cpu[0] && atomic_load(&page->awaits_wake) &&
               now_us - watch->heartbeat_seen_us >= STUCK_US) {
        watch->roused = true;
        rouse(a, page);
    }
}

/* How long a process has been ready to run and had no CPU, in all; 0 where the kernel does not
 * tell.
 */
static int64_t waited_us(const struct page *page)
{
    char path[48];
    long long ran_ns, waited_ns = 0;
    snprintf(path, sizeof path, "/proc/%d/schedstat", (int)atomic_load(&page->pid));
    FILE *f = fopen(path, "re");
    if (f && fscanf(f, "%lld %lld", &ran_ns, &waited_ns) != 2)
        waited_ns = 0;
    if (f)
        fclose(f);
    return waited_ns / 1000;
}

/* The same job is at the front as at the last look. */
static bool is_stuck(struct watch *watch, const struct page *page, int64_t now_us)
{
    if (watch->waited_us < 0) {
        watch->waited_us = waited_us(page);
        watch->probed_us = now_us;
        return false;
    }
    if (now_us - watch->front_us < STUCK_US)
        return false;
    if (2 * (waited_us(page) - watch->waited_us) < now_us - watch->probed_us)
        return true;
    watch->waited_us = -1;
    return false;
}

/* True when the worker has something that it could start. */
static bool look_at(struct agent *a, int slot, int64_t now_us, bool late)
{
    struct watch *watch = &a->watches[slot];
    struct page *page = page_at(a, slot);
    if (late) {
        watch->front = 0;
        watch->heartbeat_us = 0;
    }
    look_at_loop(a, watch, page, now_us);
    look_at_deaf(a, slot, page, now_us);
    uint64_t front = moil_claims_front(&page->claims, watch->seized);
    if (front != watch->front) {
        watch->front = front;
        watch->front_us = now_us;
        watch->waited_us = -1;
    } else if (front && is_stuck(watch, page, now_us)) {
        relieve(a, slot);
    }
    return front != 0;
}

/* One for each slot; what a dead agent has seized is unsure. */
static bool watch_all(struct agent *a, int slots)
{
    if (slots <= a->watch_count)
        return true;
    struct watch *watches = moil_mem_realloc(a->watches, (size_t)slots * sizeof *watches);
    if (!watches)
        return false;
    a->watches = watches;
    for (; a->watch_count < slots; a->watch_count++) {
        watches[a->watch_count] = (struct watch){0};
        moil_claims_give_up(&page_at(a, a->watch_count)->claims);
    }
    return true;
}

static void look_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    struct agent *a = timer->data;
    int slots = a->options.slots(a->options.data);
    int64_t now_us = moil_clock_monotonic_us();
    bool late = now_us - a->looked_us > LATE_US, any = false;
    if (a->stopping || moil_link_state(a->link) != LINK_UP)
        return;
    a->looked_us = now_us;
    for (int slot = 0; watch_all(a, slots) && slot < slots; slot++)
        any = look_at(a, slot, now_us, late) || any;
    timer->repeat = (any ? LOOK_MS : IDLE_LOOK_MS) / 1000.0;
    ev_timer_again(loop, timer);
}

void moil_reliever_start(struct agent *a)
{
    if (ev_is_active(&a->relief))
        return;
    ev_timer_init(&a->relief, look_cb, 0, IDLE_LOOK_MS / 1000.0);
    a->relief.data = a;
    ev_timer_again(a->loop, &a->relief);
}

void moil_reliever_fini(struct agent *a)
{
    ev_timer_stop(a->loop, &a->relief);
    moil_mem_free(a->watches);
    a->watches = NULL;
    a->watch_count = 0;
}
