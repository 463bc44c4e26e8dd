/* scheduler.c: see scheduler.h.
 *
 * One ev_periodic waits for the first of the agenda. Its moment is worked out from the monotonic
 * clock each time it is set, by its reschedule callback; libev calls that when it sees the wall
 * clock jump by a second or more, and `watch` has it called for less. */
#include "worker/scheduler.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "beat/upcoming.h"
#include "conf/route.h"
#include "queue/message.h"
#include "worker/tally.h"

enum {
    TICKING_MAX = 250, /* scripts under way: as many jobs as one script may bring */
    STEP_US = 1000,    /* of the wall clock: libev's own timers are that coarse */
    RETRY_MS = 1000,   /* after a tick that Redis refuses (it is full, or a replica) */
    COMPLAIN_US = 60000000,
    IDLE_S = 86400,
};

int64_t moil_scheduler_now_us(const struct scheduler *s)
{
    return moil_redis_clock_us(&s->clock, moil_clock_monotonic_us());
}

int64_t moil_scheduler_now_ms(const struct scheduler *s)
{
    return moil_scheduler_now_us(s) / 1000;
}

/* --- waiting ---------------------------------------------------------------------------------- */

static ev_tstamp due_at(ev_periodic *w, ev_tstamp now)
{
    const struct scheduler *s = w->data;
    const struct agenda_item *first = moil_agenda_first(&s->table.agenda);
    if (!s->ready || !first || s->ticking >= TICKING_MAX)
        return now + IDLE_S;
    double wait_s = (double)(first->at * 1000 - moil_scheduler_now_us(s)) / 1e6;
    return now + (wait_s > IDLE_S ? IDLE_S : wait_s > 0 ? wait_s : 0);
}

/* libev's idea of the wall clock, less the monotonic clock: it looks at the wall clock every half
 * second only, and takes over a step that is small without a word. */
static int64_t wall_less_us(struct ev_loop *loop)
{
    ev_now_update(loop);
    return (int64_t)(ev_now(loop) * 1e6) - moil_clock_monotonic_us();
}

static void arm(struct scheduler *s)
{
    s->wall_less_us = wall_less_us(s->agent->loop);
    ev_periodic_again(s->agent->loop, &s->due);
}

static void watch_cb(struct ev_loop *loop, ev_prepare *w, int events)
{
    (void)events;
    struct scheduler *s = w->data;
    int64_t step_us = wall_less_us(loop) - s->wall_less_us;
    if (step_us > STEP_US || step_us < -STEP_US)
        arm(s);
}

/* --- a tick ----------------------------------------------------------------------------------- */

static void send_due(struct scheduler *s);

static bool is(struct slice verdict, const char *name)
{
    return slice_eq(verdict, slice_str(name));
}

/* The reply's elements 1 to 5 and 7, as `ticks` has them. */
static void take_state(struct planned *p, const struct reply *reply)
{
    struct slice timing = moil_reply_slice(moil_reply_at(reply, 7));
    p->known = moil_reply_slice(moil_reply_at(reply, 1)).n > 0;
    if (!p->known)
        return;
    p->last_due_ms = moil_reply_integer(moil_reply_at(reply, 1));
    p->runs = moil_reply_integer(moil_reply_at(reply, 2));
    p->paused = moil_reply_integer(moil_reply_at(reply, 3)) != 0;
    size_t n = timing.n < TIMETABLE_TIMING_LEN ? timing.n : TIMETABLE_TIMING_LEN;
    if (n)
        memcpy(p->state_timing, timing.p, n);
    p->state_timing[n] = '\0';
}

static void tell_passed_over(const struct planned *p, const struct entry *e)
{
    char until[UPCOMING_LOCAL_MAX];
    if (e && e->catch_up == CATCH_UP_ALL)
        log_warning("beat entry \"%s\": more than %d of its runs were missed: after the first of "
                    "them, those until %s are passed over",
                    p->name, (int)TIMETABLE_CATCH_UP_MAX,
                    moil_upcoming_local(e->schedule.zone, p->last_due_ms, until));
}

/* While nodes take up a new file one after the other, or by mistake. */
static void warn_of_sharing(struct planned *p)
{
    if (p->warned || !moil_planned_is_shared(p))
        return;
    p->warned = true;
    log_warning(
        "beat entry \"%s\": another scheduler's file has other times for it; as long as both "
        "are in use it runs at either's",
        p->name);
}

static void count_tick(const struct scheduler *s, struct slice verdict)
{
    static const struct {
        const char *verdict;
        enum tally_event event;
    } events[] = {
        {"fired", TALLY_TICK_FIRED},
        {"skipped_late", TALLY_TICK_SKIPPED_LATE},
        {"skipped_overlap", TALLY_TICK_SKIPPED_OVERLAP},
    };
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        if (is(verdict, events[i].verdict))
            moil_tally_event(s->agent->options.tally, events[i].event);
    }
}

static void conclude(struct scheduler *s, struct planned *p, const struct reply *reply)
{
    struct slice verdict = moil_reply_slice(moil_reply_at(reply, 0));
    int64_t now_ms = moil_scheduler_now_ms(s);
    MOIL_CRASH_POINT_IF(is(verdict, "fired"), "beat.fired");
    count_tick(s, verdict);
    take_state(p, reply);
    if (is(verdict, "skipped_late"))
        tell_passed_over(p, moil_planned_entry(p));
    if (is(verdict, "changed") || is(verdict, "gone")) {
        moil_timetable_hold(&s->table, p);
        moil_entry_reader_want(s);
    } else if (is(verdict, "done")) {
        moil_timetable_hold(&s->table, p);
    } else {
        moil_timetable_plan(&s->table, p, now_ms);
        warn_of_sharing(p);
    }
}

static void complain(struct scheduler *s, const struct planned *p, const struct reply *reply)
{
    int64_t now_us = moil_clock_monotonic_us();
    if (s->complained_us && now_us - s->complained_us < COMPLAIN_US)
        return;
    s->complained_us = now_us;
    log_error("beat entry \"%s\" waits, as Redis refuses its tick: %.*s", p->name,
              (int)moil_reply_slice(reply).n, moil_reply_slice(reply).p);
}

static void ticked(void *data, int err, const struct reply *reply)
{
    struct planned *p = data;
    struct scheduler *s = p->owner;
    int64_t now_ms = moil_scheduler_now_ms(s);
    p->busy = false;
    s->ticking--;
    if (p->dropped) {
        moil_timetable_drop_unused(&s->table, p);
    } else if (!err) {
        moil_scheduler_hear_clock(s, p->sent_us, moil_reply_integer(moil_reply_at(reply, 6)));
        conclude(s, p, reply);
    } else if (err == MOIL_ENOSCRIPT) {
        moil_timetable_plan(&s->table, p, now_ms);
    } else if (reply) {
        complain(s, p, reply);
        moil_timetable_put_off(&s->table, p, now_ms + RETRY_MS);
    } /* else the link broke: all is planned anew when it is up again */
    if (s->ready)
        send_due(s);
}

/* The time of making, strictly growing, by Redis's clock: a record is ordered by it. */
static int64_t next_stamp_us(struct scheduler *s)
{
    int64_t now_us = moil_scheduler_now_us(s);
    s->stamp_us = now_us > s->stamp_us ? now_us : s->stamp_us + 1;
    return s->stamp_us;
}

static void add_record(struct scheduler *s, const struct entry *e, const struct tick *tick)
{
    struct buffer extra;
    moil_buffer_init(&extra);
    moil_entry_extra(e, tick->due_ms, &extra);
    char *routed =
        e->queue || !s->config.len ? NULL : moil_route_find(moil_buffer_cstr(&s->config), e->task);
    const char *queue = e->queue ? e->queue : routed ? routed : "default";
    struct job job = {
        .task = slice_str(e->task),
        .queue = slice_str(queue),
        .args = slice_str(e->args),
        .kwargs = slice_str(e->kwargs ? e->kwargs : ""),
        .extra = moil_buffer_slice(&extra),
        .priority = e->priority < 0 ? MOIL_PRIORITY_DEFAULT : e->priority,
        .enqueued_us = next_stamp_us(s),
    };
    moil_buffer_clear(&s->text);
    moil_message_encode(&job, &s->text);
    s->text.failed = s->text.failed || extra.failed;
    moil_mem_free(routed);
    moil_buffer_fini(&extra);
}

static int send_tick(struct scheduler *s, struct planned *p, const struct tick *tick)
{
    static const char *const actions[TICK_ACTIONS] = {
        [TICK_FIRE] = "fire", [TICK_LATE] = "late", [TICK_SEEN] = "seen", [TICK_ANEW] = "anew"};
    const struct entry *e = moil_planned_entry(p);
    struct args *a = &s->agent->broker.args;
    char id[MOIL_ID_LEN + 1];
    moil_args_clear(a);
    moil_args_str(a, p->name);
    if (p->known)
        moil_args_int(a, p->last_due_ms);
    else
        moil_args_str(a, "-");
    moil_args_int(a, tick->due_ms);
    if (p->version)
        moil_args_int(a, p->version);
    else
        moil_args_str(a, "-");
    moil_args_str(a, actions[tick->action]);
    moil_args_str(a, e->overlap ? "1" : "0");
    moil_args_int(a, e->max_runs);
    moil_args_str(a, tick->final ? "1" : "0");
    if (tick->action == TICK_FIRE) {
        moil_id_new(id);
        add_record(s, e, tick);
        moil_args_str(a, id);
        moil_args_slice(a, moil_buffer_slice(&s->text));
        moil_args_str(a, e->at_front ? "1" : "0");
        a->failed = a->failed || s->text.failed;
    } else {
        moil_args_str(a, e->paused ? "1" : "0");
        moil_args_str(a, p->version ? "-" : p->timing);
    }
    p->sent_us = moil_clock_monotonic_us();
    MOIL_CRASH_POINT_IF(tick->action == TICK_FIRE, "beat.ticking");
    return moil_broker_eval(&s->agent->broker, SCRIPT_TICK, ticked, p);
}

static void send_due(struct scheduler *s)
{
    struct planned *p;
    int64_t now_ms = moil_scheduler_now_ms(s);
    while (s->ticking < TICKING_MAX && (p = moil_timetable_take(&s->table, now_ms))) {
        struct tick tick = moil_timetable_decide(p, now_ms);
        if (send_tick(s, p, &tick) == 0) {
            p->busy = true;
            s->ticking++;
        } else { /* no link, or no memory */
            moil_timetable_put_off(&s->table, p, now_ms + RETRY_MS);
        }
    }
    arm(s);
}

static void due_cb(struct ev_loop *loop, ev_periodic *w, int events)
{
    (void)loop;
    (void)events;
    struct scheduler *s = w->data;
    if (!s->ready)
        return;
    send_due(s);
    moil_link_flush(s->agent->link);
    MOIL_CRASH_POINT_IF(s->ticking > 0, "beat.written");
}

/* --- what others tell it ---------------------------------------------------------------------- */

void moil_scheduler_read(struct scheduler *s)
{
    moil_timetable_plan_all(&s->table, moil_scheduler_now_ms(s));
    send_due(s);
}

void moil_scheduler_hear_clock(struct scheduler *s, int64_t sent_us, int64_t redis_us)
{
    struct redis_clock before = s->clock;
    if (!moil_redis_clock_hear(&s->clock, sent_us, moil_clock_monotonic_us(), redis_us))
        return;
    int64_t back_us = before.known ? before.offset_us - s->clock.offset_us : 0;
    if (back_us > TIMETABLE_AHEAD_MS * INT64_C(1000)) {
        log_warning("Redis's clock was set back by %" PRId64 " s: what fell due in that time falls "
                    "due again, as far as it would be missed else",
                    back_us / 1000000);
        moil_timetable_plan_all(&s->table, moil_scheduler_now_ms(s));
    }
    arm(s);
}

void moil_scheduler_hear(struct agent *a, int64_t sent_us, int64_t redis_us, int64_t version)
{
    struct scheduler *s = a->scheduler;
    moil_scheduler_hear_clock(s, sent_us, redis_us);
    if (s->ready && version != s->version)
        moil_entry_reader_want(s);
}

void moil_scheduler_set_file(struct agent *a, struct slice schedule, struct slice config)
{
    struct scheduler *s = a->scheduler;
    char why[512];
    moil_buffer_clear(&s->config);
    moil_buffer_add_slice(&s->config, config);
    if (moil_timetable_set_file(&s->table, schedule, why, sizeof why) != 0)
        log_error("the beat file's entries stay as they were: %s", why); /* the check took them */
    if (a->options.alone)
        moil_entry_tasks_look_later(s);
    if (s->ready)
        moil_entry_reader_want(s); /* for the states of those that are new */
}

/* --- life ------------------------------------------------------------------------------------- */

void moil_scheduler_start(struct agent *a)
{
    moil_entry_reader_start(a->scheduler);
}

void moil_scheduler_stop(struct agent *a)
{
    struct scheduler *s = a->scheduler;
    s->ready = false;
    moil_entry_reader_stop(s);
}

int moil_scheduler_init(struct agent *a)
{
    struct scheduler *s = moil_mem_zalloc(1, sizeof *s);
    if (!s)
        return MOIL_ENOMEM;
    a->scheduler = s;
    s->agent = a;
    moil_buffer_init(&s->config);
    moil_buffer_init(&s->text);
    ev_periodic_init(&s->due, due_cb, 0, 0, due_at);
    ev_prepare_init(&s->watch, watch_cb);
    s->due.data = s->watch.data = s;
    ev_periodic_start(a->loop, &s->due);
    ev_prepare_start(a->loop, &s->watch);
    return moil_timetable_init(&s->table, s);
}

void moil_scheduler_fini(struct agent *a)
{
    struct scheduler *s = a->scheduler;
    if (!s)
        return;
    ev_periodic_stop(a->loop, &s->due);
    ev_prepare_stop(a->loop, &s->watch);
    moil_entry_reader_stop(s);
    moil_entry_tasks_stop(s);
    moil_timetable_fini(&s->table);
    moil_buffer_fini(&s->config);
    moil_buffer_fini(&s->text);
    moil_mem_free(s);
    a->scheduler = NULL;
}
