/* Times a drain that worker processes do: looks at the backlog until it is gone.
 *
 *   drain JOBS keep|drop PID
 *
 * JOBS were enqueued, each shall leave a result (keep) or none (drop), PID is the `moil worker`.
 * The first tenth, in which processes start, is not counted. Prints jobs/s and costs per job; a
 * look costs Redis 3 commands every 10 ms. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "support/meter.h"

enum { LOOK_NS = 10000000, STUCK_US = 20000000 };

struct look {
    struct reading reading;
    double worker_cpu_us;
    int64_t left;
};

static struct look look(struct meter *m, pid_t worker, int64_t left)
{
    return (struct look){bench_meter_read(m), bench_tree_cpu_us(worker), left};
}

/* Waits until at most `left` jobs are left. */
static struct look await(struct meter *m, pid_t worker, int64_t left)
{
    int64_t before = -1, moved_us = moil_clock_monotonic_us();
    for (;;) {
        int64_t now = bench_meter_left(m), now_us = moil_clock_monotonic_us();
        if (now <= left)
            return look(m, worker, now);
        if (now != before)
            moved_us = now_us;
        else if (now_us - moved_us > STUCK_US)
            bench_die("drain: %lld jobs left, none done for %d s", (long long)now,
                      STUCK_US / 1000000);
        before = now;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    }
}

int main(int argc, char **argv)
{
    if (argc != 4)
        bench_die("usage: drain JOBS keep|drop PID");
    int64_t jobs = bench_number(argv[1]), stored = strcmp(argv[2], "keep") == 0 ? jobs : 0;
    pid_t worker = (pid_t)bench_number(argv[3]);
    struct meter m;
    bench_meter_open(&m);
    struct look first = await(&m, worker, jobs - jobs / 10), last = await(&m, worker, 0);
    int64_t records = bench_meter_integer(&m, "HLEN " BENCH_PREFIX "jobs");
    if (records != stored)
        bench_die("drain: %lld results stored, %lld expected", (long long)records,
                  (long long)stored);
    double n = (double)(first.left - last.left);
    printf("rate %.0f redis_us %.3f commands %.3f batch %.1f worker_us %.3f\n",
           n * 1e6 / (double)(last.reading.at_us - first.reading.at_us),
           (last.reading.redis_cpu_us - first.reading.redis_cpu_us) / n,
           (last.reading.commands - first.reading.commands) / n,
           2 * n / (last.reading.scripts - first.reading.scripts),
           (last.worker_cpu_us - first.worker_cpu_us) / n);
    bench_meter_close(&m);
    return 0;
}
