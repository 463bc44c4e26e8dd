/* client.c: see client.h. */
#include "api/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/locate.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "base/mem.h"

enum { DEADLINE_MAX_S = 86400 };

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
    c->status = status;
    return status;
}

void moil_client_explain(int err, const struct reply *reply, char *out, size_t size)
{
    struct slice text = moil_reply_slice(reply);
    if (moil_graph_explain(err, reply, out, size))
        return;
    switch (err) {
    case MOIL_EFULL:
        snprintf(out, size, "Redis is out of memory: raise its maxmemory, or let workers drain it");
        break;
    case MOIL_EREADONLY:
        snprintf(out, size, "this Redis is a read-only replica: give the URL of its primary");
        break;
    case MOIL_ELOADING:
        snprintf(out, size, "Redis is busy or still loads its data");
        break;
    default:
        snprintf(out, size, "Redis refused: %.*s", (int)text.n, text.p ? text.p : "");
    }
}

void moil_client_on_step(moil_client *c, moil_step_fn *fn, void *data)
{
    c->on_step = fn;
    c->step_data = data;
}

int moil_client_step(struct moil_client *c, size_t done, size_t total)
{
    if (!c->on_step || c->on_step(c->step_data, done, total) == 0)
        return 0;
    return moil_client_fail(c, MOIL_STATUS_CANCELLED, "stopped after %zu jobs", done);
}

const char *moil_client_error(const moil_client *c)
{
    return c->errstr;
}

/* --- blocking --------------------------------------------------------------------------------- */

void moil_client_begin(struct moil_client *c, double seconds)
{
    c->errstr[0] = '\0';
    c->status = 0;
    c->call_s = seconds;
}

int moil_client_run(struct moil_client *c, struct moil_request *r)
{
    if (!r)
        return c->status;
    while (!r->told) {
        moil_link_flush(c->link); /* saves the loop a turn */
        moil_link_flush(c->waiting);
        MOIL_CRASH_POINT_IF(moil_link_outstanding(c->link) > 0, "client.written");
        ev_run(c->loop, EVRUN_ONCE);
    }
    if (r->status < 0 && r->errstr[0])
        memcpy(c->errstr, r->errstr, sizeof c->errstr);
    else if (r->status < 0 && !c->errstr[0])
        snprintf(c->errstr, sizeof c->errstr, "%s", moil_strerror(r->status));
    return r->status;
}

/* A call of what has no state but its caller's. */
struct call {
    struct moil_request request;
    enum script_id script;
    void (*fill)(struct args *a, void *data);
    moil_take_fn *take;
    void *data;
};

static int send_call(struct moil_request *r)
{
    const struct call *call = (const struct call *)r;
    struct broker *b = &r->client->broker;
    moil_args_clear(&b->args);
    if (call->fill)
        call->fill(&b->args, call->data);
    return moil_broker_eval(b, call->script, moil_request_answered, r);
}

static int take_call(struct moil_request *r, const struct reply *reply)
{
    const struct call *call = (const struct call *)r;
    return call->take ? call->take(call->data, reply) : 0;
}

static void free_call(struct moil_request *r)
{
    (void)r; /* all is the caller's */
}

int moil_client_call(struct moil_client *c, enum script_id script,
                     void (*fill)(struct args *a, void *data), moil_take_fn *take, void *data)
{
    static const struct operation operation = {
        .late = "answer", .send = send_call, .take = take_call, .free = free_call};
    struct call *call = moil_request_new(c, &operation, sizeof *call);
    if (!call)
        return c->status;
    call->script = script;
    call->fill = fill;
    call->take = take;
    call->data = data;
    moil_request_start(&call->request, c->call_s);
    int status = moil_client_run(c, &call->request);
    moil_request_release(&call->request);
    return status;
}

/* --- life ------------------------------------------------------------------------------------- */

static void up_cb(void *data)
{
    struct moil_client *c = data;
    c->was_up = true;
    moil_inbox_refresh(&c->inbox);
    moil_requests_up(c);
}

static void down_cb(void *data, int err)
{
    (void)err;
    moil_requests_down(data);
}

static void waiting_up_cb(void *data)
{
    moil_client_listen(data);
}

static int init_links(struct moil_client *c, char *errstr, size_t errlen)
{
    c->link =
        c->loop ? moil_link_new(c->loop, &c->url,
                                &(struct link_hooks){.on_up = up_cb, .on_down = down_cb, .data = c})
                : NULL;
    c->waiting = c->loop ? moil_link_new(c->loop, &c->url,
                                         &(struct link_hooks){.on_up = waiting_up_cb, .data = c})
                         : NULL;
    if (c->link && c->waiting)
        return 0;
    snprintf(errstr, errlen, "out of memory, or of file descriptors");
    return MOIL_STATUS_NOMEM;
}

static void init_timers(struct moil_client *c)
{
    ev_timer_init(&c->teller, moil_requests_tell_cb, 0, 0);
    ev_timer_init(&c->listen, moil_client_listen_cb, 0, 0);
    ev_timer_init(&c->refresh, moil_client_refresh_cb, 0, MOIL_INBOX_REFRESH_MS / 1000.0);
    c->teller.data = c->listen.data = c->refresh.data = c;
}

int moil_client_init(struct moil_client *c, struct ev_loop *loop,
                     const moil_client_options *options, char *errstr, size_t errlen)
{
    static const moil_client_options defaults;
    const moil_client_options *o = options ? options : &defaults;
    const char *ns = o->ns && *o->ns ? o->ns : "moil";
    char owner[MOIL_ID_LEN + 1];
    if (!(o->deadline >= 0 && o->deadline <= DEADLINE_MAX_S)) {
        snprintf(errstr, errlen, "deadline: 0 (5 s) to %d s", DEADLINE_MAX_S);
        return MOIL_STATUS_INVALID;
    }
    c->is_blocking = loop == NULL;
    c->deadline_s = o->deadline > 0 ? o->deadline : 5;
    c->max_payload = o->max_payload ? o->max_payload : MOIL_PAYLOAD_DEFAULT;
    init_timers(c);
    int err = moil_locate(o->url, true, &c->url, errstr, errlen);
    if (err)
        return err;
    c->loop = loop ? loop : ev_loop_new(EVFLAG_AUTO);
    err = init_links(c, errstr, errlen);
    if (err)
        return err;
    err = moil_broker_init(&c->broker, c->link, ns, (int)(c->deadline_s * 1000));
    if (err)
        snprintf(errstr, errlen,
                 "namespace \"%.80s\": 1 to 64 printable characters without space, { and }", ns);
    moil_id_new(owner);
    moil_inbox_init(&c->inbox, &c->broker, owner);
    return err;
}

void moil_client_fini(struct moil_client *c)
{
    if (c->loop) {
        ev_timer_stop(c->loop, &c->teller);
        ev_timer_stop(c->loop, &c->listen);
        ev_timer_stop(c->loop, &c->refresh);
    }
    moil_link_free(c->link);
    moil_link_free(c->waiting);
    moil_inbox_fini(&c->inbox);
    moil_broker_fini(&c->broker);
    if (c->loop && c->is_blocking)
        ev_loop_destroy(c->loop);
    explicit_bzero(&c->url, sizeof c->url);
}

void moil_client_enter(struct moil_client *c)
{
    c->depth++;
}

void moil_client_leave(struct moil_client *c)
{
    if (--c->depth > 0 || !c->closing)
        return;
    moil_client_fini(c);
    moil_mem_free(c);
}

int moil_client_open(moil_client **out, const moil_client_options *options, char *errstr,
                     size_t errlen)
{
    char ignored[1];
    if (!errstr || errlen == 0) {
        errstr = ignored;
        errlen = sizeof ignored;
    }
    struct moil_client *c = moil_mem_zalloc(1, sizeof *c);
    if (!c) {
        snprintf(errstr, errlen, "out of memory");
        return MOIL_STATUS_NOMEM;
    }
    int err = moil_client_init(c, NULL, options, errstr, errlen);
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
    moil_client_fini(c);
    moil_mem_free(c);
}
