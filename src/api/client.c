/* client.c: see client.h. */
#include "api/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/locate.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

static const double PAUSE_FIRST_S = 0.02, PAUSE_MAX_S = 0.2;

int moil_client_status(int err)
{
    switch (err) {
    case MOIL_ETIMEOUT: /* of the link: the job's own timeout is wait.c's */
    case MOIL_EAUTH:
    case MOIL_EFULL:
    case MOIL_EREADONLY:
    case MOIL_ELOADING:
    case MOIL_ENOSCRIPT:
        return MOIL_STATUS_UNAVAILABLE;
    default:
        return err;
    }
}

int moil_client_fail(struct moil_client *c, int status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->errstr, sizeof c->errstr, fmt, ap);
    va_end(ap);
    return status;
}

int moil_client_refused(struct moil_client *c, int err, const struct reply *reply)
{
    struct slice text = moil_reply_slice(reply);
    char why[MOIL_NAME_MAX + 100];
    if (moil_graph_explain(err, reply, why, sizeof why))
        return moil_client_fail(c, err, "%s", why);
    switch (err) {
    case MOIL_EFULL:
        return moil_client_fail(
            c, err, "Redis is out of memory: raise its maxmemory, or let workers drain it");
    case MOIL_EREADONLY:
        return moil_client_fail(c, err,
                                "this Redis is a read-only replica: give the URL of its primary");
    case MOIL_ELOADING:
        return moil_client_fail(c, err, "Redis is busy or still loads its data");
    default:
        return moil_client_fail(c, err, "Redis refused: %.*s", (int)text.n, text.p ? text.p : "");
    }
}

const char *moil_client_error(const moil_client *c)
{
    return c->errstr;
}

/* --- the loop --------------------------------------------------------------------------------- */

static void deadline_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct moil_client *c = timer->data;
    c->expired = true;
}

void moil_client_begin(struct moil_client *c, double seconds)
{
    c->errstr[0] = '\0';
    c->expired = false;
    c->pause_s = PAUSE_FIRST_S;
    ev_timer_stop(c->loop, &c->deadline);
    if (seconds < 0)
        return;
    ev_now_update(c->loop);
    ev_timer_set(&c->deadline, seconds, 0);
    ev_timer_start(c->loop, &c->deadline);
}

void moil_client_turn(struct moil_client *c, int flags)
{
    moil_link_flush(c->link);
    moil_link_flush(c->waiting);
    ev_run(c->loop, flags);
}

bool moil_client_run(struct moil_client *c, const bool *done)
{
    while (!*done && !c->expired)
        moil_client_turn(c, EVRUN_ONCE);
    return *done;
}

static bool is_hopeless(const struct moil_client *c)
{
    int err = moil_link_error_code(c->link);
    bool refused = err == MOIL_EREDIS && !c->was_up;
    return moil_link_state(c->link) == LINK_DOWN &&
           (err == MOIL_EAUTH || err == MOIL_EREPLY || refused);
}

int moil_client_connect(struct moil_client *c)
{
    if (moil_link_state(c->link) == LINK_DOWN) /* the reconnect's delay is not for who asks now */
        moil_link_stop(c->link);
    moil_link_start(c->link);
    while (moil_link_state(c->link) != LINK_UP && !c->expired && !is_hopeless(c))
        moil_client_turn(c, EVRUN_ONCE);
    if (moil_link_state(c->link) == LINK_UP) {
        c->was_up = true;
        return 0;
    }
    int status = moil_client_fail(c, MOIL_STATUS_UNAVAILABLE, "%s", moil_link_error(c->link));
    return status;
}

/* One attempt of a call. */
struct attempt {
    struct moil_client *client;
    moil_take_fn *take;
    void *data;
    bool done;
    bool abandoned; /* the deadline passed: nobody looks any more */
    int err;
    int status;
};

static void attempted(void *data, int err, const struct reply *reply)
{
    struct attempt *at = data;
    if (at->abandoned) {
        moil_mem_free(at);
        return;
    }
    at->done = true;
    at->err = err;
    if (err && reply)
        moil_client_refused(at->client, err, reply);
    else if (err)
        moil_client_fail(at->client, err, "%s", moil_link_error(at->client->link));
    else
        at->status = at->take ? at->take(at->data, reply) : 0;
}

void moil_client_pause(struct moil_client *c, int err)
{
    double left_s = ev_is_active(&c->deadline) ? ev_timer_remaining(c->loop, &c->deadline) : 1;
    if (err != MOIL_ENOSCRIPT) {
        ev_sleep(c->pause_s < left_s ? c->pause_s : left_s > 0 ? left_s : 0);
        c->pause_s = c->pause_s < PAUSE_MAX_S ? c->pause_s * 2 : c->pause_s;
    }
    moil_client_turn(c, EVRUN_NOWAIT);
}

int moil_client_call(struct moil_client *c, enum script_id script,
                     void (*fill)(struct args *a, void *data), moil_take_fn *take, void *data)
{
    for (;;) {
        int status = moil_client_connect(c);
        if (status)
            return status;
        struct attempt *at = moil_mem_zalloc(1, sizeof *at);
        if (!at)
            return moil_client_fail(c, MOIL_STATUS_NOMEM, "out of memory");
        *at = (struct attempt){.client = c, .take = take, .data = data};
        moil_args_clear(&c->broker.args);
        if (fill)
            fill(&c->broker.args, data);
        int err = moil_broker_eval(&c->broker, script, attempted, at);
        if (err == 0 && !moil_client_run(c, &at->done)) {
            at->abandoned = true;
            return moil_client_fail(c, MOIL_STATUS_UNAVAILABLE, "Redis did not answer within %g s",
                                    c->deadline_s);
        }
        err = err ? err : at->err;
        status = at->status;
        moil_mem_free(at);
        if (!err)
            return status;
        if (moil_link_is_transient(err))
            moil_client_pause(c, err);
        if (!moil_link_is_transient(err) || c->expired) /* the sentence is that of the last refusal
                                                         */
            return moil_client_status(err);
    }
}

/* --- life ------------------------------------------------------------------------------------- */

static int init_links(struct moil_client *c, const moil_client_options *o, char *errstr,
                      size_t errlen)
{
    struct link_hooks quiet = {0};
    c->loop = ev_loop_new(EVFLAG_AUTO);
    c->link = c->loop ? moil_link_new(c->loop, &c->url, &quiet) : NULL;
    c->waiting = c->loop ? moil_link_new(c->loop, &c->url, &quiet) : NULL;
    if (!c->link || !c->waiting) {
        snprintf(errstr, errlen, "out of memory, or of file descriptors");
        return MOIL_STATUS_NOMEM;
    }
    const char *ns = o->ns && *o->ns ? o->ns : "moil";
    int err = moil_broker_init(&c->broker, c->link, ns, (int)(c->deadline_s * 1000));
    if (err) {
        snprintf(errstr, errlen,
                 "namespace \"%.80s\": 1 to 64 printable characters without space, { and }", ns);
        return err;
    }
    char owner[MOIL_ID_LEN + 1];
    moil_id_new(owner);
    moil_inbox_init(&c->inbox, &c->broker, owner);
    ev_timer_init(&c->deadline, deadline_cb, 0, 0);
    c->deadline.data = c;
    return 0;
}

int moil_client_open(moil_client **out, const moil_client_options *options, char *errstr,
                     size_t errlen)
{
    static const moil_client_options defaults;
    const moil_client_options *o = options ? options : &defaults;
    char ignored[1];
    if (!errstr) {
        errstr = ignored;
        errlen = sizeof ignored;
    }
    struct moil_client *c = moil_mem_zalloc(1, sizeof *c);
    if (!c) {
        snprintf(errstr, errlen, "out of memory");
        return MOIL_STATUS_NOMEM;
    }
    c->deadline_s = o->deadline > 0 ? o->deadline : 5;
    c->max_payload = o->max_payload ? o->max_payload : MOIL_PAYLOAD_DEFAULT;
    int err = moil_locate(o->url, true, &c->url, errstr, errlen);
    if (!err)
        err = init_links(c, o, errstr, errlen);
    if (err) {
        moil_client_close(c);
        return err;
    }
    *out = c;
    return 0;
}

void moil_client_close(moil_client *c)
{
    if (!c)
        return;
    if (c->loop)
        ev_timer_stop(c->loop, &c->deadline);
    moil_link_free(c->link);
    moil_link_free(c->waiting);
    moil_inbox_fini(&c->inbox);
    moil_broker_fini(&c->broker);
    if (c->loop)
        ev_loop_destroy(c->loop);
    explicit_bzero(&c->url, sizeof c->url);
    moil_mem_free(c);
}
