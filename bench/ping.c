/* The yardsticks of this machine and run: what Redis itself costs for its simplest commands, with
 * the same client library.
 *
 *   ping SECONDS
 *
 * PING one at a time (its round trip, and Redis's CPU with the system calls of each), and SET key
 * value EX in pipelines of 1,000. Prints round trips in µs and Redis's CPU per command. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "support/meter.h"

enum { PIPELINE = 1000, PINGS_MAX = 1000000, VALUE_LEN = 100, PACE = 100, PACED_MAX = 1000 };

static void pings(struct meter *m, int64_t seconds)
{
    static double took_us[PINGS_MAX];
    size_t n = 0;
    struct reading first = bench_meter_read(m);
    int64_t now_us = first.at_us, end_us = first.at_us + seconds * 1000000;
    while (now_us < end_us && n < PINGS_MAX) {
        freeReplyObject(bench_meter_call(m, "PING"));
        int64_t then_us = now_us;
        now_us = moil_clock_monotonic_us();
        took_us[n++] = (double)(now_us - then_us);
    }
    struct reading last = bench_meter_read(m);
    printf("ping_us %.3f rtt_p50_us %.0f rtt_p99_us %.0f ",
           (last.redis_cpu_us - first.redis_cpu_us) / (double)n, bench_percentile(took_us, n, 50),
           bench_percentile(took_us, n, 99));
}

/* As a client that has slept sees it: each PING finds Redis asleep too, as a job on an idle system
 * does. */
static void paced_pings(struct meter *m, int64_t seconds)
{
    double took_us[PACED_MAX];
    size_t n = 0, count = (size_t)(seconds * PACE);
    for (; n < count && n < PACED_MAX; n++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000000 / PACE}, NULL);
        int64_t from_us = moil_clock_monotonic_us();
        freeReplyObject(bench_meter_call(m, "PING"));
        took_us[n] = (double)(moil_clock_monotonic_us() - from_us);
    }
    printf("paced_p50_us %.0f paced_p99_us %.0f ", bench_percentile(took_us, n, 50),
           bench_percentile(took_us, n, 99));
}

/* Keys as long as a job's id, values as long as its record. */
static void sets(struct meter *m, int64_t seconds)
{
    char value[VALUE_LEN + 1];
    size_t n = 0;
    snprintf(value, sizeof value, "%0*d", VALUE_LEN, 0);
    struct reading first = bench_meter_read(m);
    while (moil_clock_monotonic_us() - first.at_us < seconds * 1000000) {
        for (size_t i = 0; i < PIPELINE; i++) {
            char key[40];
            snprintf(key, sizeof key, "set-%032zu", n + i);
            redisAppendCommand(m->redis, "SET %s %s EX 86400", key, value);
        }
        for (int i = 0; i < PIPELINE; i++) {
            void *reply = NULL;
            if (redisGetReply(m->redis, &reply) != REDIS_OK)
                bench_die("ping: Redis went away");
            freeReplyObject(reply);
        }
        n += PIPELINE;
    }
    struct reading last = bench_meter_read(m);
    printf("set_ex_us %.3f\n", (last.redis_cpu_us - first.redis_cpu_us) / (double)n);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        bench_die("usage: ping SECONDS");
    struct meter m;
    bench_meter_open(&m);
    pings(&m, bench_number(argv[1]));
    paced_pings(&m, bench_number(argv[1]));
    sets(&m, bench_number(argv[1]));
    bench_meter_close(&m);
    return 0;
}
