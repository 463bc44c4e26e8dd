/* events.c: the stream of events. A part of the client (client.h).
 *
 * A connection of its own hears what scripts publish (docs/protocol.md, "Events"). While somebody
 * listens a key says so, which is renewed here; it counts the events, and each message has the
 * count, so that a listener that missed some, as it was cut off, is told how many. Who is slow
 * hears the counts late, too. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/client.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "net/subscription.h"

enum { RENEW_US = 2000000, TEXT_MAX = 200 };
static const double TICK_S = 0.2;

struct listening {
    struct moil_client *client;
    const moil_event_filter *filter;
    moil_event_fn *fn;
    void *data;
    struct link *link;
    struct buffer channel;
    ev_timer tick;
    bool holds;    /* the subscription does */
    bool stopped;  /* by fn */
    int64_t known; /* the number of the last event heard; -1: none yet */
};

/* --- filters ---------------------------------------------------------------------------------- */

/* * is any bytes, ? is one. */
static bool matches(const char *pattern, const char *text)
{
    const char *star = NULL, *from = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            from = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static bool is_listed(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; *at;) {
        size_t len = strcspn(at, ",");
        if (len == n && memcmp(at, word, n) == 0)
            return true;
        at += len + (at[len] == ',');
    }
    return false;
}

static bool member_matches(const json_t *event, const char *key, const char *pattern)
{
    const char *value = json_string_value(json_object_get(event, key));
    return !pattern || (value && matches(pattern, value));
}

static bool is_wanted(const moil_event_filter *f, struct slice line)
{
    if (!f || (!f->types && !f->task && !f->queue && !f->node))
        return true;
    json_t *event = json_loadb(line.p, line.n, 0, NULL);
    const char *type = json_string_value(json_object_get(event, "type"));
    bool wanted = type && (!f->types || is_listed(f->types, type)) &&
                  member_matches(event, "task", f->task) &&
                  member_matches(event, "queue", f->queue) &&
                  member_matches(event, "node", f->node);
    json_decref(event);
    return wanted;
}

/* --- events ----------------------------------------------------------------------------------- */

static void tell(struct listening *l, const char *json, size_t len)
{
    if (!l->stopped && l->fn(l->data, json, len) != 0)
        l->stopped = true;
}

/* Whatever the filter: who misses something must know. count < 0: nobody knows how many. */
static void tell_lost(struct listening *l, int64_t count)
{
    char text[TEXT_MAX];
    double at = (double)moil_clock_wall_us() / 1e6;
    if (count >= 0)
        snprintf(text, sizeof text, "{\"type\":\"lost\",\"count\":%lld,\"at\":%.6f}",
                 (long long)count, at);
    else
        snprintf(text, sizeof text, "{\"type\":\"lost\",\"at\":%.6f}", at);
    tell(l, text, strlen(text));
}

/* "LAST COUNT\n" and a line each; none where the key was renewed. */
static void hear(struct listening *l, struct slice text)
{
    const char *newline = memchr(text.p, '\n', text.n), *end = text.p + text.n;
    char head[64];
    long long last = 0, count = 0;
    snprintf(head, sizeof head, "%.*s", newline ? (int)(newline - text.p) : 0, text.p);
    bool counted = sscanf(head, "%lld %lld", &last, &count) == 2;
    if (counted && l->known >= 0 && last - count > l->known)
        tell_lost(l, last - count - l->known);
    else if (counted && last < l->known)
        tell_lost(l, -1); /* the count began anew */
    if (counted)
        l->known = last;
    while (newline && newline < end) {
        const char *line = newline + 1;
        newline = memchr(line, '\n', (size_t)(end - line));
        struct slice event = slice_of(line, (size_t)((newline ? newline : end) - line));
        if (event.n && is_wanted(l->filter, event)) {
            char *copy = moil_mem_strndup(event.p, event.n);
            if (copy)
                tell(l, copy, event.n);
            moil_mem_free(copy);
        }
    }
}

static void pushed(void *data, int err, const struct reply *reply)
{
    struct listening *l = data;
    struct slice text = moil_reply_slice(reply);
    if (err)
        l->holds = false;
    else if (text.p)
        hear(l, text);
    else
        l->holds = true;
}

static void up(void *data)
{
    struct listening *l = data;
    moil_link_subscribe(l->link, moil_buffer_slice(&l->channel), pushed, l);
}

/* --- the key ---------------------------------------------------------------------------------- */

static int take_count(void *data, const struct reply *reply)
{
    struct listening *l = data;
    if (l->known < 0)
        l->known = moil_reply_integer(reply);
    return 0;
}

static int renew(struct listening *l)
{
    struct moil_client *c = l->client;
    moil_client_begin(c, c->deadline_s);
    return moil_client_call(c, SCRIPT_LISTEN, NULL, take_count, l);
}

/* --- listening -------------------------------------------------------------------------------- */

static void tick_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop, (void)events;
    tell(timer->data, NULL, 0);
}

/* Redis is away: that is waited for, but not where it has never been there. */
static bool is_patient(int status, const struct listening *l)
{
    return status == MOIL_STATUS_UNAVAILABLE && l->known >= 0;
}

static int subscribe(struct listening *l, int64_t end_us)
{
    struct moil_client *c = l->client;
    int64_t patience_us = moil_clock_monotonic_us() + (int64_t)(c->deadline_s * 1e6);
    while (!l->holds && !l->stopped && moil_clock_monotonic_us() < end_us) {
        if (moil_clock_monotonic_us() > patience_us)
            return moil_client_fail(c, MOIL_STATUS_UNAVAILABLE, "%s", moil_link_error(l->link));
        ev_run(c->loop, EVRUN_ONCE);
    }
    return 0;
}

static int listen(struct listening *l, int64_t end_us)
{
    struct moil_client *c = l->client;
    int status = renew(l); /* first: it tells what is wrong with the address */
    if (!status)
        status = subscribe(l, end_us);
    int64_t renew_us = moil_clock_monotonic_us() + RENEW_US;
    while (!status && !l->stopped) {
        int64_t now_us = moil_clock_monotonic_us();
        if (now_us >= end_us)
            return moil_client_fail(c, MOIL_STATUS_TIMEOUT, "the time is over");
        if (now_us >= renew_us) {
            status = renew(l);
            status = is_patient(status, l) ? 0 : status;
            renew_us = now_us + RENEW_US;
            continue;
        }
        ev_run(c->loop, EVRUN_ONCE);
    }
    return status;
}

static const char kinds[] =
    "enqueued,scheduled,started,progress,succeeded,failed,revoked,ignored,dead,retried,requeued,"
    "purged,deleted,trimmed,tick,worker-up,worker-down,node-up,node-down,node-reloaded,control,"
    "lost";

/* The first of the words that is no type of event, with its length; NULL: all are. */
static const char *find_wrong_type(const moil_event_filter *f, size_t *len)
{
    for (const char *at = f && f->types ? f->types : ""; *at; at += *len + (at[*len] == ',')) {
        char word[32];
        *len = strcspn(at, ",");
        snprintf(word, sizeof word, "%.*s", (int)(*len < 31 ? *len : 31), at);
        if (*len == 0 || *len > 31 || !is_listed(kinds, word))
            return at;
    }
    return NULL;
}

static bool is_filter(const moil_event_filter *f)
{
    return !f || ((!f->task || strlen(f->task) <= MOIL_NAME_MAX) &&
                  (!f->queue || strlen(f->queue) <= MOIL_NAME_MAX) &&
                  (!f->node || strlen(f->node) <= MOIL_NAME_MAX));
}

int moil_events(moil_client *c, const moil_event_filter *filter, double timeout, moil_event_fn *fn,
                void *data)
{
    struct listening l = {.client = c, .filter = filter, .fn = fn, .data = data, .known = -1};
    struct link_hooks hooks = {.on_up = up, .data = &l};
    c->errstr[0] = '\0';
    if (!fn || !is_filter(filter))
        return moil_client_fail(c, MOIL_STATUS_INVALID, "a name has at most %d characters",
                                MOIL_NAME_MAX);
    size_t len = 0;
    const char *wrong = find_wrong_type(filter, &len);
    if (wrong)
        return moil_client_fail(c, MOIL_STATUS_INVALID,
                                "\"%.*s\" is no type of event; these are: %s",
                                (int)(len < 64 ? len : 64), wrong, kinds);
    moil_buffer_init(&l.channel);
    moil_buffer_add_slice(&l.channel, moil_keys_prefix(&c->broker.keys));
    moil_buffer_add_str(&l.channel, "events");
    l.link = l.channel.failed ? NULL : moil_link_new(c->loop, &c->url, &hooks);
    int status;
    if (l.link) {
        ev_timer_init(&l.tick, tick_cb, TICK_S, TICK_S);
        l.tick.data = &l;
        ev_timer_start(c->loop, &l.tick);
        moil_link_start(l.link);
        int64_t now_us = moil_clock_monotonic_us();
        status = listen(&l, timeout < 0 || timeout > 1e9 ? INT64_MAX
                                                         : now_us + (int64_t)(timeout * 1e6));
        ev_timer_stop(c->loop, &l.tick);
    } else {
        status = moil_client_fail(c, MOIL_STATUS_NOMEM, "out of memory");
    }
    moil_link_free(l.link);
    moil_buffer_fini(&l.channel);
    return status;
}
