/* link.c: one connection's life: DOWN -> CONNECTING -> UP -> DOWN …, and the calls in flight on it.
 * hiredis owns the socket and the protocol, we own the deadlines, the reconnecting and the script
 * cache. A call is a `struct call` from a free list, in the order of sending, which is the order of
 * replies. */
#include "net/link.h"

#include <errno.h>
#include <ev.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/dial.h"
#include "net/fault.h"
#include "net/resolve.h"

enum {
    RECONNECT_FIRST_MS = 50,
    RECONNECT_MAX_MS = 2000,
    HANDSHAKE_TIMEOUT_MS = 5000,
};

struct call {
    struct call *prev, *next;
    struct link *link;
    link_call_cb *cb;
    void *data;
    int64_t deadline_us;
};

struct link {
    struct ev_loop *loop;
    struct url url;
    struct link_hooks hooks;
    enum link_state state;
    redisAsyncContext *ac;   /* NULL while DOWN or STOPPED, and while the name is looked up */
    struct resolve *resolve; /* that look-up; a slow one is waited for by the next attempt too */
    unsigned attempts;       /* in vain so far: which of a name's addresses comes next */
    struct call *calls;      /* in flight, the oldest first (utlist) */
    struct call *spare;
    unsigned outstanding;
    ev_timer deadline;  /* of the call that must be answered first … */
    int64_t armed_us;   /* … when it was started: that deadline */
    ev_timer reconnect; /* the next attempt, or the handshake's end */
    int delay_ms;
    unsigned short lot[3]; /* random numbers of its own: neither the program's nor other threads' */
    bool was_up;           /* since the last attempt to connect */
    bool unfit; /* it was left for what moil_fault_is_of_server says, and no call went well since */
    int err;    /* why it is down; 0 while up */
    char errstr[256];
    char logged[256]; /* the last failure that was logged; "" while up */
    struct args scratch;
    bool sent[MOIL_SCRIPTS_MAX]; /* scripts this connection has loaded */
};

static void set_error(struct link *l, int err, const char *why)
{
    char shown[1400];
    moil_url_redact(&l->url, shown, sizeof shown);
    l->err = err;
    snprintf(l->errstr, sizeof l->errstr, "Redis at %.120s: %.120s", shown, why);
}

/* With what the server said, or with what to do about it. */
static void set_refused(struct link *l, int err, struct slice text)
{
    char why[160];
    moil_fault_explain(err, text, why, sizeof why);
    set_error(l, err, why);
}

static void retry_later(struct link *l)
{
    l->delay_ms = l->delay_ms ? l->delay_ms * 2 : RECONNECT_FIRST_MS;
    if (l->delay_ms > RECONNECT_MAX_MS)
        l->delay_ms = RECONNECT_MAX_MS;
    /* Half of the delay is drawn by lot, so that a thousand workers do not come back in one
     * millisecond. */
    l->reconnect.repeat = l->delay_ms * (0.5 + 0.5 * erand48(l->lot)) / 1000;
    ev_timer_again(l->loop, &l->reconnect);
}

/* One line for each new reason, not one for each attempt. */
static void log_down(struct link *l)
{
    if (!l->hooks.name || strcmp(l->logged, l->errstr) == 0)
        return;
    memcpy(l->logged, l->errstr, sizeof l->logged);
    log_warning("%s connection: %s; trying again until it works", l->hooks.name, l->errstr);
}

static void log_up(struct link *l)
{
    if (l->hooks.name && l->logged[0])
        log_info("%s connection: up again", l->hooks.name);
    l->logged[0] = '\0';
}

/* The connection is gone and all its callbacks were called. */
static void went_down(struct link *l)
{
    l->ac = NULL;
    ev_timer_stop(l->loop, &l->deadline);
    if (l->state == LINK_STOPPED)
        return;
    l->state = LINK_DOWN;
    l->attempts++;
    if (l->was_up && !l->unfit)
        l->delay_ms = 0;
    l->was_up = false;
    log_down(l);
    retry_later(l);
    if (l->hooks.on_down)
        l->hooks.on_down(l->hooks.data, l->err ? l->err : MOIL_EREDIS);
}

/* Takes the connection down from our side. Safe inside a hiredis callback: the freeing is put off
 * there, and disconnect_cb ends it. */
static void drop(struct link *l)
{
    redisAsyncContext *ac = l->ac;
    if (!ac) {
        if (l->state == LINK_CONNECTING) /* the name was being looked up */
            went_down(l);
        return;
    }
    l->state = l->state == LINK_STOPPED ? LINK_STOPPED : LINK_DOWN;
    bool told = ac->c.flags & REDIS_CONNECTED; /* then disconnect_cb comes */
    redisAsyncFree(ac);
    if (!told)
        went_down(l);
}

static void disconnect_cb(const redisAsyncContext *ac, int status)
{
    struct link *l = ac->data;
    if (l->ac != ac) /* an old one, put off: a new connection is there already */
        return;
    if (!l->err)
        set_error(l, MOIL_EREDIS,
                  status != REDIS_OK && ac->errstr[0] ? ac->errstr : "connection closed");
    went_down(l);
}

/* --- calls ------------------------------------------------------------------------------------ */

/* The timer is left running when its call is answered: it finds out by itself. */
static void arm_deadline(struct link *l, int64_t at_us)
{
    if (ev_is_active(&l->deadline) && l->armed_us <= at_us)
        return;
    double s = (double)(at_us - moil_clock_monotonic_us()) / 1e6;
    l->armed_us = at_us;
    ev_timer_stop(l->loop, &l->deadline);
    ev_timer_set(&l->deadline, s > 0.001 ? s : 0.001, 0);
    ev_timer_start(l->loop, &l->deadline);
}

static void deadline_cb(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop;
    (void)events;
    struct link *l = w->data;
    const struct call *call;
    int64_t earliest_us = INT64_MAX;
    DL_FOREACH(l->calls, call)
        earliest_us = call->deadline_us < earliest_us ? call->deadline_us : earliest_us;
    if (earliest_us == INT64_MAX)
        return; /* answered in time; the next call arms it again */
    if (earliest_us > moil_clock_monotonic_us()) {
        arm_deadline(l, earliest_us);
        return;
    }
    set_error(l, MOIL_ETIMEOUT, "no answer within the deadline");
    moil_dial_forget_unread(l->ac);
    drop(l);
}

/* After a call was answered: a server that takes no writes now is left, as its name may lead to
 * another one. What it has not read yet it shall not run. */
static void judge_server(struct link *l, int err, const struct reply *reply)
{
    struct slice text = moil_reply_slice(reply);
    if (!err && l->unfit) {
        l->unfit = false;
        log_up(l);
    } else if (err && reply && moil_fault_is_of_server(text.p, text.n)) {
        l->unfit = true;
        set_refused(l, err, text);
        moil_dial_forget_unread(l->ac);
        drop(l);
    }
}

static void call_done(redisAsyncContext *ac, void *r, void *data)
{
    (void)ac;
    struct call *call = data;
    struct link *l = call->link;
    redisReply *reply = r;
    int err = 0;
    if (!reply)
        err = l->err ? l->err : MOIL_EREDIS;
    else if (reply->type == REDIS_REPLY_ERROR)
        err = moil_fault_of(reply->str, (size_t)reply->len);
    if (err == MOIL_ENOSCRIPT)
        memset(l->sent, 0, sizeof l->sent);
    link_call_cb *cb = call->cb;
    void *cb_data = call->data;
    DL_DELETE(l->calls, call);
    l->outstanding--;
    call->next = l->spare;
    l->spare = call;
    if (cb)
        cb(cb_data, err, (const struct reply *)reply);
    if ((err || l->unfit) && cb && l->state == LINK_UP)
        judge_server(l, err, (const struct reply *)reply);
}

static int send_call(struct link *l, const struct args *a, int timeout_ms, link_call_cb *cb,
                     void *data)
{
    if (a->failed)
        return MOIL_ENOMEM;
    struct call *call = l->spare;
    if (call)
        l->spare = call->next;
    else if (!(call = moil_mem_alloc(sizeof *call)))
        return MOIL_ENOMEM;
    *call = (struct call){
        .link = l,
        .cb = cb,
        .data = data,
        .deadline_us = moil_clock_monotonic_us() + timeout_ms * INT64_C(1000),
    };
    int rc = redisAsyncCommandArgv(l->ac, call_done, call, (int)a->count, a->argv, a->lens);
    if (rc != REDIS_OK) {
        call->next = l->spare;
        l->spare = call;
        return MOIL_EREDIS;
    }
    DL_APPEND(l->calls, call);
    l->outstanding++;
    arm_deadline(l, call->deadline_us);
    return 0;
}

int moil_link_call(struct link *l, const struct args *a, int timeout_ms, link_call_cb *cb,
                   void *data)
{
    return l->state == LINK_UP ? send_call(l, a, timeout_ms, cb, data) : MOIL_EREDIS;
}

/* The script's text, once per connection, ahead of its first use: a lost cache costs one NOSCRIPT,
 * not a round trip each. */
static int send_script(struct link *l, const struct script *s, int timeout_ms)
{
    struct args *a = &l->scratch;
    moil_args_clear(a);
    moil_args_str(a, "SCRIPT");
    moil_args_str(a, "LOAD");
    moil_args_add(a, s->source, s->len);
    return send_call(l, a, timeout_ms, NULL, NULL);
}

int moil_link_eval(struct link *l, const struct script *s, struct slice key,
                   const struct args *rest, int timeout_ms, link_call_cb *cb, void *data)
{
    if (l->state != LINK_UP)
        return MOIL_EREDIS;
    if (rest->failed)
        return MOIL_ENOMEM;
    if (!l->sent[s->index]) {
        int err = send_script(l, s, timeout_ms);
        if (err)
            return err;
        l->sent[s->index] = true;
    }
    struct args *a = &l->scratch;
    moil_args_clear(a);
    moil_args_str(a, "EVALSHA");
    moil_args_add(a, s->sha, 40);
    moil_args_str(a, "1");
    moil_args_slice(a, key);
    for (size_t i = 0; i < rest->count; i++)
        moil_args_add(a, rest->argv[i], rest->lens[i]);
    return send_call(l, a, timeout_ms, cb, data);
}

/* --- connecting ------------------------------------------------------------------------------- */

static void hello_cb(void *data, int err, const struct reply *reply)
{
    struct link *l = data;
    if (err && l->state == LINK_CONNECTING && reply) {
        set_refused(l, err, moil_reply_slice(reply));
        drop(l);
    }
}

static void greeted_cb(void *data, int err, const struct reply *reply)
{
    struct link *l = data;
    hello_cb(data, err, reply);
    if (err || l->state != LINK_CONNECTING)
        return;
    ev_timer_stop(l->loop, &l->reconnect);
    l->state = LINK_UP;
    if (!l->unfit)
        log_up(l);
    l->err = 0;
    l->errstr[0] = '\0';
    l->was_up = true;
    if (l->hooks.on_up)
        l->hooks.on_up(l->hooks.data);
}

/* AUTH and SELECT where the URL has them, then a PING that tells whether commands are taken. */
static void handshake(struct link *l)
{
    struct args *a = &l->scratch;
    if (l->url.password[0]) {
        moil_args_clear(a);
        moil_args_str(a, "AUTH");
        if (l->url.user[0])
            moil_args_str(a, l->url.user);
        moil_args_str(a, l->url.password);
        send_call(l, a, HANDSHAKE_TIMEOUT_MS, hello_cb, l);
    }
    if (l->url.db != 0) {
        moil_args_clear(a);
        moil_args_str(a, "SELECT");
        moil_args_int(a, l->url.db);
        send_call(l, a, HANDSHAKE_TIMEOUT_MS, hello_cb, l);
    }
    moil_args_clear(a);
    moil_args_str(a, "PING");
    send_call(l, a, HANDSHAKE_TIMEOUT_MS, greeted_cb, l);
}

static void connected_cb(const redisAsyncContext *ac, int status)
{
    struct link *l = ac->data;
    if (status == REDIS_OK) {
        handshake(l);
        return;
    }
    set_error(l, MOIL_EREDIS, ac->errstr[0] ? ac->errstr : "cannot connect");
    went_down(l); /* hiredis frees the context after this callback */
}

static void dial(struct link *l, const char *address)
{
    char why[160];
    l->ac = moil_dial(l->loop, &l->url, address, why, sizeof why);
    if (!l->ac) {
        set_error(l, MOIL_EREDIS, why);
        went_down(l);
        return;
    }
    l->ac->data = l;
    redisAsyncSetConnectCallback(l->ac, connected_cb);
    redisAsyncSetDisconnectCallback(l->ac, disconnect_cb);
}

static void resolved(void *data, const struct addresses *found)
{
    struct link *l = data;
    l->resolve = NULL;
    if (l->state == LINK_CONNECTING && found->count) {
        dial(l, found->text[l->attempts % found->count]);
    } else if (l->state == LINK_CONNECTING) { /* else it is too late: the next attempt looks anew */
        set_error(l, MOIL_EREDIS, found->why);
        went_down(l);
    }
}

static void connect_now(struct link *l)
{
    l->state = LINK_CONNECTING;
    if (l->attempts == 0)
        set_error(l, 0, "no answer");
    l->err = 0;
    memset(l->sent, 0, sizeof l->sent);
    l->reconnect.repeat = HANDSHAKE_TIMEOUT_MS / 1000.0;
    ev_timer_again(l->loop, &l->reconnect);
    bool has_name = l->url.kind == URL_TCP || l->url.kind == URL_TLS;
    if (!has_name || moil_resolve_is_address(l->url.host))
        dial(l, l->url.host);
    else if (!l->resolve && !(l->resolve = moil_resolve_start(l->loop, l->url.host, resolved, l)))
        resolved(l, &(struct addresses){.why = "out of memory"});
}

static void reconnect_cb(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop;
    (void)events;
    struct link *l = w->data;
    if (l->state == LINK_DOWN && !l->ac) {
        connect_now(l);
    } else if (l->state == LINK_CONNECTING) {
        set_error(l, MOIL_ETIMEOUT,
                  l->ac ? "no answer while connecting" : "no answer from the name server");
        drop(l);
    }
}

/* --- life ------------------------------------------------------------------------------------- */

struct link *moil_link_new(struct ev_loop *loop, const struct url *url,
                           const struct link_hooks *hooks)
{
    struct link *l = moil_mem_zalloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->loop = loop;
    l->url = *url;
    if (hooks)
        l->hooks = *hooks;
    l->state = LINK_STOPPED;
    set_error(l, MOIL_EREDIS, "not connected yet");
    moil_args_init(&l->scratch);
    uint64_t seed = (uint64_t)moil_clock_monotonic_us() ^ (uintptr_t)l ^ (uint64_t)getpid() << 24;
    memcpy(l->lot, &seed, sizeof l->lot);
    ev_timer_init(&l->deadline, deadline_cb, 0, 0);
    ev_timer_init(&l->reconnect, reconnect_cb, 0, 0);
    l->deadline.data = l->reconnect.data = l;
    return l;
}

void moil_link_start(struct link *l)
{
    if (l->state == LINK_STOPPED)
        connect_now(l);
}

void moil_link_stop(struct link *l)
{
    l->state = LINK_STOPPED;
    moil_resolve_abandon(l->resolve);
    l->resolve = NULL;
    ev_timer_stop(l->loop, &l->reconnect);
    ev_timer_stop(l->loop, &l->deadline);
    if (!l->err)
        set_error(l, MOIL_EREDIS, "stopped");
    drop(l);
}

void moil_link_free(struct link *l)
{
    if (!l)
        return;
    moil_link_stop(l);
    for (struct call *c = l->spare, *next; c; c = next) {
        next = c->next;
        moil_mem_free(c);
    }
    moil_args_fini(&l->scratch);
    explicit_bzero(&l->url, sizeof l->url);
    moil_mem_free(l);
}

struct redisAsyncContext *moil_link_context(struct link *l)
{
    return l->state == LINK_UP ? l->ac : NULL;
}

enum link_state moil_link_state(const struct link *l)
{
    return l->state;
}

const char *moil_link_error(const struct link *l)
{
    return l->errstr;
}

int moil_link_error_code(const struct link *l)
{
    return l->state == LINK_UP ? 0 : l->err ? l->err : MOIL_EREDIS;
}

void moil_link_flush(struct link *l)
{
    if (l->state == LINK_UP && l->outstanding > 0)
        moil_dial_write(l->ac);
}

unsigned moil_link_outstanding(const struct link *l)
{
    return l->outstanding;
}
