/* stock.c: see stock.h. */
#include "worker/stock.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/message.h"
#include "worker/agent.h"
#include "worker/metrics.h"

enum {
    TOTALS = 4,  /* of queues.lua's answer, in front of the queues … */
    FIELDS = 11, /* … of which each has so many */
    ENQUEUED = 8,
    ENDED = 10,
    COMPLAIN_US = 60 * 1000000,
};

/* One queue, or the sum of those that are too many. */
struct line {
    struct slice queue;
    int64_t pending;
    int64_t oldest_us;       /* how long ago what is next was enqueued; 0: nothing is there */
    int64_t enqueued, ended; /* ever */
    bool is_paused;
};

struct lines {
    struct line *all;
    size_t count;
};

/* --- reading the answer ----------------------------------------------------------------------- */

static struct line read_line(const struct reply *reply, size_t i, int64_t now_us)
{
    struct slice state = moil_reply_slice(moil_reply_at(reply, i + 1));
    struct job next = {.id = {NULL, 0}};
    struct line line = {.queue = moil_reply_slice(moil_reply_at(reply, i)),
                        .pending = moil_reply_integer(moil_reply_at(reply, i + 2)),
                        .enqueued = moil_reply_integer(moil_reply_at(reply, i + ENQUEUED)),
                        .ended = moil_reply_integer(moil_reply_at(reply, i + ENDED)),
                        .is_paused = state.n > 0 && state.p[0] == 'p'};
    if (moil_message_decode_header(moil_reply_slice(moil_reply_at(reply, i + 3)), &next) == 0 &&
        next.enqueued_us < now_us)
        line.oldest_us = now_us - next.enqueued_us;
    return line;
}

static int by_name(const void *a, const void *b)
{
    struct slice x = ((const struct line *)a)->queue, y = ((const struct line *)b)->queue;
    int order = memcmp(x.p ? x.p : "", y.p ? y.p : "", x.n < y.n ? x.n : y.n);
    return order ? order : (x.n > y.n) - (x.n < y.n);
}

/* By name, so that the same are left out each time. */
static void cut(struct lines *lines)
{
    qsort(lines->all, lines->count, sizeof *lines->all, by_name);
    if (lines->count <= STOCK_QUEUES_MAX)
        return;
    struct line *other = &lines->all[STOCK_QUEUES_MAX];
    for (size_t i = STOCK_QUEUES_MAX + 1; i < lines->count; i++) {
        other->pending += lines->all[i].pending;
        other->enqueued += lines->all[i].enqueued;
        other->ended += lines->all[i].ended;
        if (lines->all[i].oldest_us > other->oldest_us)
            other->oldest_us = lines->all[i].oldest_us;
    }
    other->queue = slice_str("other");
    other->is_paused = false;
    lines->count = STOCK_QUEUES_MAX + 1;
}

static double pending_of(const struct line *line)
{
    return (double)line->pending;
}

static double age_of(const struct line *line)
{
    return (double)line->oldest_us / 1e6;
}

static double paused_of(const struct line *line)
{
    return line->is_paused;
}

static double enqueued_of(const struct line *line)
{
    return (double)line->enqueued;
}

static double ended_of(const struct line *line)
{
    return (double)line->ended;
}

static const struct {
    const char *name, *help;
    enum metric_type type;
    double (*value)(const struct line *line);
} families[] = {
    {"moil_queue_pending", "Jobs that wait in the queue.", METRIC_GAUGE, pending_of},
    {"moil_queue_oldest_seconds",
     "How long ago the oldest of the jobs that are next in the queue was enqueued; 0: none waits.",
     METRIC_GAUGE, age_of},
    {"moil_queue_paused", "1 while the queue is paused.", METRIC_GAUGE, paused_of},
    {"moil_queue_enqueued_total", "Jobs that were ever enqueued there, by any node or client.",
     METRIC_COUNTER, enqueued_of},
    {"moil_queue_ended_total", "Jobs of the queue that ever ended, but for dead ones, anywhere.",
     METRIC_COUNTER, ended_of},
};

static void write_queues(struct buffer *out, const struct lines *lines)
{
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        moil_metrics_family(out, families[f].name, families[f].type, families[f].help);
        for (size_t i = 0; i < lines->count; i++)
            moil_metrics_sample(out, families[f].name, "queue", lines->all[i].queue,
                                families[f].value(&lines->all[i]));
    }
}

static void write_totals(struct buffer *out, const struct reply *reply)
{
    static const struct {
        const char *name, *help;
    } totals[TOTALS] = {
        {"moil_jobs_delayed", "Jobs that wait for their time."},
        {"moil_jobs_dead", "Jobs in the dead set."},
        {"moil_jobs_in_flight", "Jobs that workers hold, started or not."},
        {"moil_jobs_deferred", "Jobs that wait for other jobs."},
    };
    for (size_t i = 0; i < TOTALS; i++) {
        moil_metrics_family(out, totals[i].name, METRIC_GAUGE, totals[i].help);
        moil_metrics_sample(out, totals[i].name, NULL, slice_of(NULL, 0),
                            (double)moil_reply_integer(moil_reply_at(reply, i)));
    }
}

static void write_answer(struct stock *s, const struct reply *reply)
{
    size_t fields = moil_reply_count(reply), room = fields > TOTALS ? fields - TOTALS : 0;
    struct lines lines = {.all = moil_mem_alloc((room / FIELDS + 1) * sizeof *lines.all)};
    int64_t now_us = moil_clock_wall_us();
    moil_buffer_clear(&s->text);
    s->text.failed = !lines.all;
    for (size_t i = TOTALS; lines.all && i + FIELDS <= fields; i += FIELDS)
        lines.all[lines.count++] = read_line(reply, i, now_us);
    if (lines.all) {
        cut(&lines);
        write_queues(&s->text, &lines);
        write_totals(&s->text, reply);
    }
    moil_mem_free(lines.all);
}

/* --- asking ----------------------------------------------------------------------------------- */

static void ask(struct stock *s);

/* What keeps being refused, as a key is of another type, is said now and then. */
static void refused(struct stock *s, const struct reply *reply)
{
    int64_t now_us = moil_clock_monotonic_us();
    if (reply && (!s->refused_us || now_us - s->refused_us >= COMPLAIN_US)) {
        log_warning("the queues' lengths cannot be told to /metrics: %.*s",
                    (int)moil_reply_slice(reply).n, moil_reply_slice(reply).p);
    }
    s->refused_us = now_us;
    s->answered_us = 0;
}

static void answered(void *data, int err, const struct reply *reply)
{
    struct stock *s = data;
    s->asking = false;
    if (err == MOIL_ENOSCRIPT) {
        ask(s);
        if (s->asking)
            return;
    }
    ev_timer_stop(s->agent->loop, &s->patience);
    if (err) {
        refused(s, reply);
    } else {
        write_answer(s, reply);
        s->answered_us = s->text.failed ? 0 : moil_clock_monotonic_us();
    }
    s->on_answer(s->data);
}

static void ask(struct stock *s)
{
    struct agent *a = s->agent;
    moil_args_clear(&a->broker.args);
    s->asking = moil_broker_eval(&a->broker, SCRIPT_QUEUES, answered, s) == 0;
    if (!s->asking)
        return;
    s->asked_us = moil_clock_monotonic_us();
    ev_timer_again(a->loop, &s->patience);
}

static void patience_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    struct stock *s = timer->data;
    ev_timer_stop(loop, timer);
    s->answered_us = 0;
    s->on_answer(s->data);
}

static bool is_within(int64_t since_us, int64_t now_us, int ms)
{
    return since_us && now_us - since_us < ms * INT64_C(1000);
}

enum stock_state moil_stock_look(struct stock *s)
{
    int64_t now_us = moil_clock_monotonic_us();
    if (moil_link_state(s->agent->link) != LINK_UP)
        return STOCK_UNKNOWN;
    if (is_within(s->answered_us, now_us, STOCK_FRESH_MS))
        return STOCK_KNOWN;
    if (is_within(s->refused_us, now_us, STOCK_FRESH_MS) && !s->asking)
        return STOCK_UNKNOWN;
    if (!s->asking)
        ask(s);
    return s->asking && ev_is_active(&s->patience) ? STOCK_AWAITED : STOCK_UNKNOWN;
}

/* --- life ------------------------------------------------------------------------------------- */

void moil_stock_init(struct stock *s, struct agent *a, void (*on_answer)(void *data), void *data)
{
    *s = (struct stock){.agent = a, .on_answer = on_answer, .data = data};
    moil_buffer_init(&s->text);
    ev_timer_init(&s->patience, patience_cb, 0, STOCK_PATIENCE_MS / 1000.0);
    s->patience.data = s;
}

void moil_stock_fini(struct stock *s)
{
    ev_timer_stop(s->agent->loop, &s->patience);
    moil_buffer_fini(&s->text);
}
