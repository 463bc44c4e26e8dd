/* Jobs with a time to come, through moil.h alone.
 *
 *   delays insert JOBS plain|delayed   enqueues JOBS, 1,000 a call: at once, or each due at a
 * moment of its own between one and two hours from now; prints jobs/s delays late RATE SECONDS jobs
 * due at moments of their own on idle workers, RATE a second; prints how late they started, in ms
 *   delays drain JOBS plain|due        from the moment when JOBS may start to their end, jobs/s:
 *                                      pending in a paused queue that is resumed, or delayed and
 * all due at the same second */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/moil.h"
#include "base/clock.h"
#include "support/meter.h"

enum { CALL = 1000, LOOK_NS = 2000000, STUCK_US = 60000000, DEADLINE_S = 60, LEAD_S = 2 };

static moil_client *client;
static moil_job jobs[CALL];

static double uniform(void)
{
    return (double)random() / ((double)RAND_MAX + 1);
}

static void send_jobs(size_t n, moil_enqueued *out)
{
    if (moil_enqueue(client, jobs, n, out) != 0)
        bench_die("delays: %s", moil_client_error(client));
}

/* Enqueues n jobs, due at from_s + a random part of span_s; from_s 0: at once. */
static void send_many(int64_t n, double from_s, double span_s, moil_enqueued *out)
{
    for (int64_t sent = 0; sent < n; sent += CALL) {
        size_t part = n - sent < CALL ? (size_t)(n - sent) : CALL;
        for (size_t i = 0; i < part; i++)
            jobs[i].eta = from_s > 0 ? from_s + span_s * uniform() : 0;
        send_jobs(part, out ? out + sent : NULL);
    }
}

static double now_s(void)
{
    return (double)moil_clock_wall_us() / 1e6;
}

static void insert(int64_t n, const char *kind)
{
    double from_s = strcmp(kind, "delayed") == 0 ? now_s() + 3600 : 0;
    int64_t from_us = moil_clock_monotonic_us();
    send_many(n, from_s, 3600, NULL);
    printf("rate %.0f\n", (double)n * 1e6 / (double)(moil_clock_monotonic_us() - from_us));
}

/* --- lateness --------------------------------------------------------------------------------- */

static double member(const char *json, const char *name)
{
    const char *at = strstr(json, name);
    if (!at)
        bench_die("delays: no %s in %s", name, json);
    return strtod(at + strlen(name), NULL);
}

/* Seconds since the epoch, as the job's record says. */
static double started_s(const char *id)
{
    moil_result result;
    char *json;
    if (moil_wait(client, id, DEADLINE_S, NULL, NULL, &result) != 0 ||
        moil_inspect_job(client, id, &json) != 0)
        bench_die("delays: %s", moil_client_error(client));
    double s = member(json, "\"started_at\":");
    moil_free(result.value);
    moil_free(json);
    return s;
}

static void late(int64_t rate, int64_t seconds)
{
    size_t count = (size_t)(rate * seconds);
    moil_enqueued *out = calloc(count, sizeof *out);
    double *due = calloc(count, sizeof *due), *late_ms = calloc(count, sizeof *late_ms);
    if (!out || !due || !late_ms)
        bench_die("delays: out of memory");
    double from_s = now_s() + LEAD_S;
    for (size_t i = 0; i < count; i++) {
        due[i] = from_s + (double)seconds * uniform();
        jobs[0].eta = due[i];
        send_jobs(1, &out[i]);
    }
    while (now_s() < from_s + (double)seconds + 1)
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    for (size_t i = 0; i < count; i++)
        late_ms[i] = (started_s(out[i].id) - due[i]) * 1e3;
    printf("p50 %.3f p95 %.3f p99 %.3f max %.3f\n", bench_percentile(late_ms, count, 50),
           bench_percentile(late_ms, count, 95), bench_percentile(late_ms, count, 99),
           bench_percentile(late_ms, count, 100));
    free(out);
    free(due);
    free(late_ms);
}

/* --- draining --------------------------------------------------------------------------------- */

static int64_t succeeded(struct meter *m)
{
    redisReply *r = bench_meter_call(m, "HGET " BENCH_PREFIX "counters:default SUCCESS");
    int64_t n = r->str ? strtoll(r->str, NULL, 10) : 0;
    freeReplyObject(r);
    return n;
}

static void await(struct meter *m, int64_t wanted)
{
    int64_t from_us = moil_clock_monotonic_us();
    while (succeeded(m) < wanted) {
        if (moil_clock_monotonic_us() - from_us > STUCK_US)
            bench_die("delays: %lld of %lld jobs are done after a minute", (long long)succeeded(m),
                      (long long)wanted);
        nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    }
}

static void drain(int64_t n, const char *kind)
{
    struct meter m;
    bench_meter_open(&m);
    int64_t wanted = succeeded(&m) + n;
    bool is_due = strcmp(kind, "due") == 0;
    double from_s = (double)(int64_t)now_s() + LEAD_S + (double)n / 20000;
    if (!is_due && moil_pause(client, "default") < 0)
        bench_die("delays: %s", moil_client_error(client));
    send_many(n, is_due ? from_s : 0, 0, NULL);
    if (now_s() > from_s)
        bench_die("delays: the jobs may start before they are in");
    while (now_s() < from_s)
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    if (!is_due && moil_resume(client, "default") < 0)
        bench_die("delays: %s", moil_client_error(client));
    struct reading first = bench_meter_read(&m);
    await(&m, wanted);
    double took_s = now_s() - from_s;
    struct reading last = bench_meter_read(&m);
    printf("rate %.0f redis_us %.3f\n", (double)n / took_s,
           (last.redis_cpu_us - first.redis_cpu_us) / (double)n);
    bench_meter_close(&m);
}

int main(int argc, char **argv)
{
    char why[256];
    const char *what = argc == 4 ? argv[1] : "";
    moil_client_options options = {.deadline = DEADLINE_S};
    if (moil_client_open(&client, &options, why, sizeof why) != 0)
        bench_die("delays: %s", why);
    for (size_t i = 0; i < CALL; i++)
        jobs[i].task = "bench.noop";
    if (strcmp(what, "insert") == 0)
        insert(bench_number(argv[2]), argv[3]);
    else if (strcmp(what, "late") == 0)
        late(bench_number(argv[2]), bench_number(argv[3]));
    else if (strcmp(what, "drain") == 0)
        drain(bench_number(argv[2]), argv[3]);
    else
        bench_die("usage: delays insert JOBS plain|delayed | late RATE SECONDS | "
                  "drain JOBS plain|due");
    moil_client_close(client);
    return 0;
}
