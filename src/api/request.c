/* request.c: see request.h. States and what moves a request from one to the next; the queue of what
 * is to be told. */
#include "api/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "api/client.h"
#include "base/error.h"
#include "base/mem.h"

static const double PAUSE_FIRST_S = 0.02, PAUSE_MAX_S = 0.2;

static void advance(struct moil_request *r);

int moil_request_fail(struct moil_request *r, int status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->errstr, sizeof r->errstr, fmt, ap);
    va_end(ap);
    return status;
}

/* --- ending and telling ----------------------------------------------------------------------- */

static void free_now(struct moil_request *r)
{
    r->op->free(r);
    moil_mem_free(r);
}

void moil_request_release(struct moil_request *r)
{
    if (!r)
        return;
    r->released = true;
    if (!r->asked)
        free_now(r);
}

/* In the same round of the loop where that is at work; a timer where the program is, as libev does
 * not look at what is pending before it waits. */
void moil_request_notify(struct moil_request *r)
{
    struct moil_client *c = r->client;
    if (!r->in_news) {
        DL_APPEND2(c->news, r, news_prev, news_next);
        r->in_news = true;
    }
    if (c->starting)
        ev_timer_start(c->loop, &c->teller);
    else
        ev_feed_event(c->loop, &c->teller, EV_TIMER);
}

static void end_quietly(struct moil_request *r, int status)
{
    struct moil_client *c = r->client;
    if (r->state == REQUEST_ENDED)
        return;
    DL_DELETE(c->requests, r);
    ev_timer_stop(c->loop, &r->deadline);
    ev_timer_stop(c->loop, &r->pause);
    r->state = REQUEST_ENDED;
    r->status = status;
    if (r->op->stop)
        r->op->stop(r);
}

void moil_request_end(struct moil_request *r, int status)
{
    if (r->state == REQUEST_ENDED)
        return;
    end_quietly(r, status);
    moil_request_notify(r);
}

static void leave_news(struct moil_request *r)
{
    if (r->in_news)
        DL_DELETE2(r->client->news, r, news_prev, news_next);
    r->in_news = false;
}

/* The blocking caller takes its end by itself. */
static void tell_end(struct moil_request *r)
{
    leave_news(r);
    r->told = true;
    if (r->client->is_blocking)
        return;
    if (r->status == 0)
        r->errstr[0] = '\0';
    else if (r->status < 0 && !r->errstr[0])
        moil_request_fail(r, r->status, "%s", moil_strerror(r->status));
    r->op->tell(r);
    moil_request_release(r);
}

static void tell_news(struct moil_client *c)
{
    while (c->news) {
        struct moil_request *r = c->news;
        if (r->op->has_note && r->op->has_note(r))
            r->op->note(r);
        else if (r->state == REQUEST_ENDED)
            tell_end(r);
        else
            leave_news(r);
    }
}

void moil_requests_tell_cb(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop;
    (void)events;
    struct moil_client *c = w->data;
    moil_client_enter(c);
    tell_news(c);
    moil_client_leave(c);
}

void moil_request_cancel(struct moil_request *r)
{
    struct moil_client *c = r->client;
    moil_client_enter(c);
    end_quietly(r, MOIL_STATUS_CANCELLED);
    r->status = moil_request_fail(r, MOIL_STATUS_CANCELLED, "cancelled by the program");
    tell_end(r);
    moil_client_leave(c);
}

void moil_requests_cancel(struct moil_client *c)
{
    while (c->news)
        moil_request_cancel(c->news);
    while (c->requests)
        moil_request_cancel(c->requests);
}

/* --- asking ----------------------------------------------------------------------------------- */

/* After a failure for good, or the last answer. */
static void conclude(struct moil_request *r, int status)
{
    if (status < 0 && r->op->failed)
        status = r->op->failed(r, status);
    if (status != REQUEST_MORE) {
        moil_request_end(r, status);
        return;
    }
    moil_request_set_deadline(r, r->deadline_s);
    r->pause_s = PAUSE_FIRST_S;
    r->refused = 0;
    advance(r);
}

/* Trying again may help. */
static void ask_later(struct moil_request *r, int err)
{
    r->refused = moil_client_status(err);
    if (err == MOIL_ENOSCRIPT) {
        advance(r);
        return;
    }
    r->state = REQUEST_PAUSING;
    ev_timer_set(&r->pause, r->pause_s, 0);
    ev_timer_start(r->client->loop, &r->pause);
    r->pause_s = r->pause_s < PAUSE_MAX_S ? r->pause_s * 2 : r->pause_s;
}

void moil_request_answered(void *data, int err, const struct reply *reply)
{
    struct moil_request *r = data;
    r->asked = false;
    if (r->released) {
        free_now(r);
        return;
    }
    if (r->state != REQUEST_ASKING)
        return;
    if (!err) {
        conclude(r, r->op->take ? r->op->take(r, reply) : 0);
        return;
    }
    if (reply)
        moil_client_explain(err, reply, r->errstr, sizeof r->errstr);
    else
        moil_request_fail(r, err, "%s", moil_link_error(r->client->link));
    if (moil_link_is_transient(err))
        ask_later(r, err);
    else
        conclude(r, moil_client_status(err));
}

static void ask(struct moil_request *r)
{
    r->state = REQUEST_ASKING;
    r->asked = true; /* the answer may come before send returns */
    int err = r->op->send(r);
    if (!err)
        return;
    r->asked = false;
    moil_request_fail(r, err, "%s",
                      err == MOIL_EREDIS ? moil_link_error(r->client->link) : moil_strerror(err));
    if (moil_link_is_transient(err))
        ask_later(r, err);
    else
        conclude(r, moil_client_status(err));
}

static void advance(struct moil_request *r)
{
    if (moil_link_state(r->client->link) == LINK_UP)
        ask(r);
    else
        r->state = REQUEST_LINKING;
}

void moil_requests_up(struct moil_client *c)
{
    struct moil_request *r, *next;
    DL_FOREACH_SAFE(c->requests, r, next) {
        if (r->state == REQUEST_LINKING)
            ask(r);
    }
}

/* Waiting for this link is in vain: refused for good, or the first try of a caller that stands and
 * waits found nobody. */
static bool is_hopeless(const struct moil_client *c)
{
    int err = moil_link_error_code(c->link);
    bool refused = err == MOIL_EREDIS && !c->was_up && c->is_blocking;
    return moil_link_state(c->link) == LINK_DOWN &&
           (err == MOIL_EAUTH || err == MOIL_EREPLY || refused);
}

void moil_requests_down(struct moil_client *c)
{
    struct moil_request *r, *next;
    if (!is_hopeless(c))
        return;
    DL_FOREACH_SAFE(c->requests, r, next) {
        if (r->state == REQUEST_LINKING)
            conclude(r,
                     moil_request_fail(r, MOIL_STATUS_UNAVAILABLE, "%s", moil_link_error(c->link)));
    }
}

/* --- timers ----------------------------------------------------------------------------------- */

static void pause_cb(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop;
    (void)events;
    advance(w->data);
}

static void deadline_cb(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop;
    (void)events;
    struct moil_request *r = w->data;
    const struct link *link = r->client->link;
    int status = MOIL_STATUS_UNAVAILABLE;
    switch (r->state) {
    case REQUEST_LINKING:
        moil_request_fail(r, status, "%s", moil_link_error(link));
        break;
    case REQUEST_ASKING:
        moil_request_fail(r, status, "Redis did not %s within %g s", r->op->late, r->deadline_s);
        break;
    case REQUEST_PAUSING: /* the sentence is that of the last refusal */
        status = r->refused;
        break;
    case REQUEST_LISTENING:
        if (moil_link_state(link) != LINK_UP)
            moil_request_fail(r, status, "%s", moil_link_error(link));
        else
            status = moil_request_fail(r, MOIL_STATUS_TIMEOUT,
                                       "the job did not end within the time given");
        break;
    case REQUEST_ENDED:
        return;
    }
    conclude(r, status);
}

void moil_request_set_deadline(struct moil_request *r, double seconds)
{
    struct ev_loop *loop = r->client->loop;
    ev_timer_stop(loop, &r->deadline);
    if (seconds < 0)
        return;
    ev_now_update(loop);
    ev_timer_set(&r->deadline, seconds, 0);
    ev_timer_start(loop, &r->deadline);
}

/* --- life ------------------------------------------------------------------------------------- */

void *moil_request_new(struct moil_client *c, const struct operation *op, size_t size)
{
    struct moil_request *r = c->closing ? NULL : moil_mem_zalloc(1, size);
    if (!r) {
        if (c->closing)
            moil_client_fail(c, MOIL_STATUS_STATE, "the client is being closed");
        else
            moil_client_fail(c, MOIL_STATUS_NOMEM, "out of memory");
        return NULL;
    }
    r->client = c;
    r->op = op;
    ev_timer_init(&r->deadline, deadline_cb, 0, 0);
    ev_timer_init(&r->pause, pause_cb, 0, 0);
    r->deadline.data = r->pause.data = r;
    return r;
}

/* From the end: where any waits for the link, it is the last ones. */
static bool is_waited_for(const struct moil_client *c)
{
    const struct moil_request *r = c->requests ? c->requests->prev : NULL;
    for (; r; r = r == c->requests ? NULL : r->prev)
        if (r->state == REQUEST_LINKING)
            return true;
    return false;
}

void moil_request_start(struct moil_request *r, double deadline_s)
{
    struct moil_client *c = r->client;
    bool alone = moil_link_state(c->link) != LINK_UP && !is_waited_for(c);
    c->starting++;
    r->deadline_s = deadline_s;
    r->pause_s = PAUSE_FIRST_S;
    r->state = REQUEST_LINKING;
    DL_APPEND(c->requests, r);
    moil_request_set_deadline(r, deadline_s);
    if (alone && moil_link_state(c->link) == LINK_DOWN) /* its delay is not for who asks now */
        moil_link_stop(c->link);
    if (alone)
        moil_link_start(c->link);
    if (r->state == REQUEST_LINKING)
        advance(r);
    c->starting--;
}
