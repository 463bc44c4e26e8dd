/* How long a job takes on idle workers, as its submitter sees it.
 *
 *   latency RATE SECONDS
 *
 * Submits bench.noop RATE times a second, each awaited before the next. start: from before the call
 * to what the worker noted as the job's start (one machine, one clock); result: to the result in
 * the submitter's hand. Prints percentiles in ms. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/moil.h"
#include "base/clock.h"
#include "support/meter.h"

struct sample {
    char id[201];
    int64_t at_us; /* wall clock, before the call */
};

static void submit(moil_client *client, struct sample *s, double *result_ms)
{
    moil_job job = {.task = "bench.noop"};
    moil_enqueued enqueued;
    moil_result result;
    s->at_us = moil_clock_wall_us();
    int64_t from_us = moil_clock_monotonic_us();
    if (moil_enqueue(client, &job, 1, &enqueued) != 0 ||
        moil_wait(client, enqueued.id, 10, NULL, NULL, &result) != 0)
        bench_die("latency: %s", moil_client_error(client));
    *result_ms = (double)(moil_clock_monotonic_us() - from_us) / 1e3;
    if (strcmp(result.state, "SUCCESS") != 0)
        bench_die("latency: a job ended as %s", result.state);
    moil_free(result.value);
    memcpy(s->id, enqueued.id, sizeof s->id);
}

/* What the job's record says, against the submitter's clock. Read when all is over: it costs Redis
 * a command. */
static double start_ms(moil_client *client, const struct sample *s)
{
    static const char name[] = "\"started_at\":";
    char *json;
    if (moil_inspect_job(client, s->id, &json) != 0)
        bench_die("latency: %s", moil_client_error(client));
    const char *at = strstr(json, name);
    if (!at)
        bench_die("latency: no started_at in %s", json);
    double started_s = strtod(at + strlen(name), NULL);
    moil_free(json);
    return started_s * 1e3 - (double)s->at_us / 1e3;
}

static void show(const char *name, double *values, size_t count)
{
    printf("%s_p50 %.4f %s_p95 %.4f %s_p99 %.4f ", name, bench_percentile(values, count, 50), name,
           bench_percentile(values, count, 95), name, bench_percentile(values, count, 99));
}

int main(int argc, char **argv)
{
    if (argc != 3)
        bench_die("usage: latency RATE SECONDS");
    int64_t rate = bench_number(argv[1]), warm_up = rate / 2;
    size_t count = (size_t)(rate * bench_number(argv[2]));
    struct sample *samples = calloc(count, sizeof *samples);
    double *start = calloc(count, sizeof *start), *result = calloc(count, sizeof *result);
    moil_client *client;
    char why[256];
    if (!samples || !start || !result || moil_client_open(&client, NULL, why, sizeof why) != 0)
        bench_die("latency: cannot begin");
    int64_t begun_us = moil_clock_monotonic_us();
    for (int64_t i = -warm_up; i < (int64_t)count; i++) {
        size_t at = i < 0 ? 0 : (size_t)i;
        submit(client, &samples[at], &result[at]);
        int64_t next_us = begun_us + (i + warm_up + 1) * 1000000 / rate;
        struct timespec until = {next_us / 1000000, next_us % 1000000 * 1000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
    for (size_t i = 0; i < count; i++)
        start[i] = start_ms(client, &samples[i]);
    show("start", start, count);
    show("result", result, count);
    printf("count %zu\n", count);
    moil_client_close(client);
    free(samples);
    free(start);
    free(result);
    return 0;
}
