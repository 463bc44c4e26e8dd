/* The raw limit: what one connection can move through moil's scripts, with no Lua run and no JSON
 * made.
 *
 *   raw JOBS DEPTH keep|drop|expired
 *
 * Fetches and settles the backlog in batches of the worker's size, DEPTH of them under way at a
 * time: when a batch comes, its verdicts and the next fetch are sent at once. keep: each job gets
 * one constant result record; drop: none; expired: a record whose time is over, for `sweep`. Prints
 * jobs/s and costs per job of the last 90 % of the jobs, as drain.c does. */
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/id.h"
#include "queue/message.h"
#include "queue/settlement.h"
#include "support/meter.h"

enum { TIMEOUT_MS = 60000, DEPTH_MAX = 16 };

struct raw {
    struct ev_loop *loop;
    struct meter meter;
    struct url url;
    struct link *link;
    struct broker broker;
    struct settlement *batch;
    struct buffer record;
    char incarnation[MOIL_ID_LEN + 1];
    int depth;
    bool keep;
    int64_t expires_min;
    int64_t jobs, taken, settled;
    struct reading first, last;
    int64_t counted_from;
    double cpu_us; /* ours, within the readings */
};

static double own_cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void check(int err, const struct reply *reply)
{
    struct slice why = moil_reply_slice(reply);
    if (err)
        bench_die("raw: error %d: %.*s", err, (int)why.n, why.p ? why.p : "");
}

static void settled(void *data, int err, const struct reply *reply)
{
    struct raw *r = data;
    check(err, reply);
    r->settled += moil_reply_integer(reply);
    if (!r->counted_from && r->settled * 10 >= r->jobs) {
        r->counted_from = r->settled;
        r->first = bench_meter_read(&r->meter);
        r->cpu_us = own_cpu_us();
    }
    if (r->settled >= r->jobs) {
        r->last = bench_meter_read(&r->meter);
        r->cpu_us = own_cpu_us() - r->cpu_us;
        ev_break(r->loop, EVBREAK_ALL);
    }
}

static void fetch(struct raw *r);

static void fetched(void *data, int err, const struct reply *reply)
{
    struct raw *r = data;
    check(err, reply);
    size_t n = moil_reply_count(reply);
    if (n == 0) {
        if (r->taken < r->jobs)
            bench_die("raw: the backlog had only %lld jobs", (long long)r->taken);
        return;
    }
    r->taken += (int64_t)n / 2;
    moil_settlement_clear(r->batch);
    for (size_t i = 0; i < n; i += 2) {
        struct slice id = moil_reply_slice(moil_reply_at(reply, i));
        struct ending how = {slice_str("default"), "SUCCESS", r->keep ? r->expires_min : 0, false};
        check(r->keep ? moil_settlement_end(r->batch, id, moil_buffer_slice(&r->record), &how)
                      : moil_settlement_drop(r->batch, id, &how),
              NULL);
    }
    check(moil_settlement_send(r->batch, &r->broker,
                               &(struct settler_room){.incarnation = slice_str(r->incarnation)},
                               settled, r),
          NULL);
    fetch(r);
}

static void fetch(struct raw *r)
{
    struct slice queue = slice_str("default");
    check(moil_broker_fetch(&r->broker, slice_str(r->incarnation), MOIL_BATCH_MAX, &queue, 1,
                            fetched, r),
          NULL);
}

static void joined(void *data, int err, const struct reply *reply)
{
    struct raw *r = data;
    check(err, reply);
    for (int i = 0; i < r->depth; i++)
        fetch(r);
}

static void link_up(void *data)
{
    struct raw *r = data;
    moil_args_clear(&r->broker.args);
    moil_args_str(&r->broker.args, r->incarnation);
    moil_args_str(&r->broker.args, "raw");
    check(moil_broker_eval(&r->broker, SCRIPT_JOIN, joined, r), NULL);
}

static void link_down(void *data, int err)
{
    struct raw *r = data;
    bench_die("raw: error %d: %s", err, moil_link_error(r->link));
}

/* As long as the record that a worker writes for bench.noop. */
static void make_record(struct raw *r)
{
    int64_t now_us = moil_clock_wall_us();
    moil_buffer_init(&r->record);
    moil_outcome_encode(
        &(struct outcome_record){
            .state = slice_str("SUCCESS"),
            .queue = slice_str("default"),
            .task = slice_str("bench.noop"),
            .worker = slice_str(r->incarnation),
            .value = slice_str("null"),
            .body = slice_of("", 0),
            .priority = MOIL_PRIORITY_DEFAULT,
            .deliveries = 1,
            .enqueued_us = now_us,
            .started_us = now_us,
            .finished_us = now_us,
            .expires_min = r->expires_min,
        },
        &r->record);
}

static void init(struct raw *r, char **argv)
{
    char why[256];
    bool expired = strcmp(argv[3], "expired") == 0;
    *r = (struct raw){.loop = ev_default_loop(0), .jobs = bench_number(argv[1])};
    r->depth = (int)bench_number(argv[2]);
    r->keep = expired || strcmp(argv[3], "keep") == 0;
    r->expires_min = moil_clock_wall_us() / 60000000 + (expired ? -1 : 1440);
    if (r->depth > DEPTH_MAX)
        bench_die("raw: DEPTH is 1 to %d", DEPTH_MAX);
    bench_meter_open(&r->meter);
    moil_id_new(r->incarnation);
    make_record(r);
    r->batch = moil_settlement_new();
    if (!r->batch || moil_url_parse(getenv("MOIL_REDIS"), &r->url, why, sizeof why) != 0)
        bench_die("raw: MOIL_REDIS is not set right");
    r->link = moil_link_new(r->loop, &r->url, &(struct link_hooks){link_up, link_down, r, NULL});
    check(moil_broker_init(&r->broker, r->link, "moil", TIMEOUT_MS), NULL);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        bench_die("usage: raw JOBS DEPTH keep|drop|expired");
    static struct raw r;
    init(&r, argv);
    moil_link_start(r.link);
    ev_run(r.loop, 0);
    freeReplyObject(bench_meter_call(&r.meter, "HDEL " BENCH_PREFIX "workers %s", r.incarnation));
    double n = (double)(r.settled - r.counted_from);
    printf("rate %.0f redis_us %.3f commands %.3f batch %.1f client_us %.3f\n",
           n * 1e6 / (double)(r.last.at_us - r.first.at_us),
           (r.last.redis_cpu_us - r.first.redis_cpu_us) / n,
           (r.last.commands - r.first.commands) / n, 2 * n / (r.last.scripts - r.first.scripts),
           r.cpu_us / n);
    return 0;
}
