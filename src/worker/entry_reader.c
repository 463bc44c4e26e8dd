/* entry_reader.c: reads the entries that were added at run time, and the states of all, from Redis.
 * A part of the scheduler (scheduler.h).
 *
 * In pages, once the link is up and when their version has moved; then not more often than once a
 * second while there are many, however often they change. What has not changed is not parsed. */
#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "worker/scheduler.h"

enum {
    PAGE = 250,
    MANY = 1000,
    PAUSE_US = 1000000, /* between the beginnings of two reads of many */
    RETRY_S = 1,
};

static void ask(struct scheduler *s);

static void take_row(struct scheduler *s, const struct reply *reply, size_t i)
{
    char why[512];
    struct slice name = moil_reply_slice(moil_reply_at(reply, i));
    struct slice text = moil_reply_slice(moil_reply_at(reply, i + 1));
    struct slice state = moil_reply_slice(moil_reply_at(reply, i + 2));
    int err = text.n ? moil_timetable_add(&s->table, name, text, why, sizeof why) : 0;
    if (err)
        log_error("%s; it does not run", why);
    moil_timetable_set_state(&s->table, name, state);
}

static void begin(struct scheduler *s)
{
    s->reading = s->first = true;
    s->again = s->states = false;
    s->began_us = moil_clock_monotonic_us();
    snprintf(s->cursor, sizeof s->cursor, "0");
    moil_timetable_read_begin(&s->table);
    ask(s);
}

static void finish(struct scheduler *s)
{
    s->reading = false;
    moil_timetable_read_end(&s->table);
    s->ready = true;
    moil_scheduler_read(s);
    if (s->again)
        moil_entry_reader_want(s);
}

/* The states come with the added entries; those of the file's are apart. */
static void turn_page(struct scheduler *s)
{
    bool over = s->cursor[0] == '0' && !s->cursor[1];
    if (over && (s->states || s->table.config.count == 0)) {
        finish(s);
        return;
    }
    s->states = s->states || over;
    ask(s);
}

static void retry_later(struct scheduler *s)
{
    s->reading = false;
    ev_timer_stop(s->agent->loop, &s->later);
    ev_timer_set(&s->later, RETRY_S, 0);
    ev_timer_start(s->agent->loop, &s->later);
}

/* What was read is what the first page's version says: a later change may be on a page that had
 * come before. */
static void take_version(struct scheduler *s, int64_t version)
{
    if (s->first)
        s->version = version;
    else if (version != s->version)
        s->again = true;
    s->first = false;
}

static void page_came(void *data, int err, const struct reply *reply)
{
    struct scheduler *s = data;
    if (err && !reply) { /* the link broke: all is read when it is up again */
        s->reading = false;
        return;
    }
    if (err == MOIL_ENOSCRIPT) {
        ask(s);
        return;
    }
    if (err) {
        log_error("the beat entries cannot be read: %.*s", (int)moil_reply_slice(reply).n,
                  moil_reply_slice(reply).p);
        retry_later(s);
        return;
    }
    struct slice cursor = moil_reply_slice(moil_reply_at(reply, 0));
    snprintf(s->cursor, sizeof s->cursor, "%.*s", (int)cursor.n, cursor.n ? cursor.p : "");
    take_version(s, moil_reply_integer(moil_reply_at(reply, 1)));
    moil_scheduler_hear_clock(s, s->sent_us, moil_reply_integer(moil_reply_at(reply, 2)));
    for (size_t i = 3; i + 2 < moil_reply_count(reply); i += 3)
        take_row(s, reply, i);
    turn_page(s);
}

static void ask(struct scheduler *s)
{
    struct broker *b = &s->agent->broker;
    moil_args_clear(&b->args);
    moil_args_str(&b->args, s->states ? "ticks" : "beat");
    moil_args_str(&b->args, s->cursor);
    moil_args_int(&b->args, PAGE);
    s->sent_us = moil_clock_monotonic_us();
    if (moil_broker_eval(b, SCRIPT_BEAT_LIST, page_came, s) != 0)
        s->reading = false;
}

static void later_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    moil_entry_reader_want(timer->data);
}

void moil_entry_reader_want(struct scheduler *s)
{
    int64_t early_us = s->began_us + PAUSE_US - moil_clock_monotonic_us();
    if (s->reading) {
        s->again = true;
    } else if (early_us > 0 && HASH_COUNT(s->table.all) > MANY) {
        ev_timer_stop(s->agent->loop, &s->later);
        ev_timer_set(&s->later, (double)early_us / 1e6, 0);
        ev_timer_start(s->agent->loop, &s->later);
    } else {
        begin(s);
    }
}

void moil_entry_reader_start(struct scheduler *s)
{
    ev_timer_stop(s->agent->loop, &s->later);
    ev_timer_init(&s->later, later_cb, 0, 0);
    s->later.data = s;
    s->ready = false;
    begin(s);
}

void moil_entry_reader_stop(struct scheduler *s)
{
    ev_timer_stop(s->agent->loop, &s->later);
}
