/* Enqueues, through moil.h alone.
 *
 *   feed fill JOBS TASK            as fast as it goes
 *
 *   feed burst JOBS TASK           the same, and waits until all are done; prints the seconds
 *
 *   feed one SECONDS               one at a time, each acknowledged before the next
 *
 *   feed bulk SECONDS              1,000 a call; both print jobs/s and Redis's CPU per job
 *
 *   feed hold BACKLOG SECONDS TASK tops the backlog up while workers drain it; prints jobs/s done
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "api/moil.h"
#include "base/clock.h"
#include "support/meter.h"

enum { CALL = 1000, TOP_UP_MIN = 250, WARM_UP_US = 500000, PAUSE_NS = 200000, DEADLINE_S = 60 };

struct feed {
    struct meter meter;
    moil_client *client;
    moil_job jobs[CALL];
    char ids[CALL][40];
    int64_t sent;
};

static void open_feed(struct feed *f, const char *task)
{
    char why[256];
    bench_meter_open(&f->meter);
    moil_client_options options = {.deadline = DEADLINE_S};
    if (moil_client_open(&f->client, &options, why, sizeof why) != 0)
        bench_die("feed: %s", why);
    for (size_t i = 0; i < CALL; i++)
        f->jobs[i].task = task;
}

static void send_jobs(struct feed *f, int64_t n)
{
    if (moil_enqueue(f->client, f->jobs, (size_t)n, NULL) != 0)
        bench_die("feed: %s", moil_client_error(f->client));
    f->sent += n;
}

static void send_many(struct feed *f, int64_t n)
{
    for (; n > 0; n -= CALL)
        send_jobs(f, n < CALL ? n : CALL);
}

static void pause_ns(long ns)
{
    nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

static void burst(struct feed *f, int64_t n)
{
    int64_t from_us = moil_clock_monotonic_us();
    send_many(f, n);
    while (bench_meter_left(&f->meter) > 0)
        pause_ns(1000000);
    printf("seconds %.3f\n", (double)(moil_clock_monotonic_us() - from_us) / 1e6);
}

static void rate(struct feed *f, int64_t seconds, int64_t at_a_time)
{
    send_jobs(f, at_a_time); /* connects, and loads the script */
    f->sent = 0;
    struct reading first = bench_meter_read(&f->meter);
    while (moil_clock_monotonic_us() - first.at_us < seconds * 1000000)
        send_jobs(f, at_a_time);
    struct reading last = bench_meter_read(&f->meter);
    double n = (double)f->sent;
    printf("rate %.0f redis_us %.3f commands %.3f\n", n * 1e6 / (double)(last.at_us - first.at_us),
           (last.redis_cpu_us - first.redis_cpu_us) / n, (last.commands - first.commands) / n);
}

/* --- a backlog held
 * ------------------------------------------------------------------------------------- */

/* Ids are made here while holding: 36 bytes as a UUID has, but without the system call that each of
 * those costs, since the feeder takes its time from the same cores as what is measured. */
static void own_ids(struct feed *f)
{
    for (size_t i = 0; i < CALL; i++) {
        snprintf(f->ids[i], sizeof f->ids[i], "held-%015lld-%015zu", (long long)f->sent, i);
        f->jobs[i].id = f->ids[i];
    }
}

static void hold_until(struct feed *f, int64_t backlog, int64_t until_us)
{
    while (moil_clock_monotonic_us() < until_us) {
        int64_t lacking =
            backlog - bench_meter_integer(&f->meter, "LLEN " BENCH_PREFIX "queue:default:5");
        if (lacking < TOP_UP_MIN) {
            pause_ns(PAUSE_NS);
            continue;
        }
        own_ids(f);
        send_jobs(f, lacking < CALL ? lacking : CALL);
    }
}

static double own_cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void hold(struct feed *f, int64_t backlog, int64_t seconds)
{
    hold_until(f, backlog, moil_clock_monotonic_us() + WARM_UP_US);
    struct reading first = bench_meter_read(&f->meter);
    int64_t done = f->sent - bench_meter_left(&f->meter);
    double cpu_us = own_cpu_us();
    hold_until(f, backlog, first.at_us + seconds * 1000000);
    struct reading last = bench_meter_read(&f->meter);
    done = f->sent - bench_meter_left(&f->meter) - done;
    double took_us = (double)(last.at_us - first.at_us);
    printf("rate %.0f redis_us %.3f feeder_core %.3f\n", (double)done * 1e6 / took_us,
           (last.redis_cpu_us - first.redis_cpu_us) / (double)done,
           (own_cpu_us() - cpu_us) / took_us);
}

int main(int argc, char **argv)
{
    static struct feed f;
    const char *what = argc > 2 ? argv[1] : "";
    int64_t n = argc > 2 ? bench_number(argv[2]) : 0;
    open_feed(&f, argc == 5 ? argv[4] : argc == 4 ? argv[3] : "bench.noop");
    if (strcmp(what, "fill") == 0)
        send_many(&f, n);
    else if (strcmp(what, "burst") == 0)
        burst(&f, n);
    else if (strcmp(what, "one") == 0)
        rate(&f, n, 1);
    else if (strcmp(what, "bulk") == 0)
        rate(&f, n, CALL);
    else if (strcmp(what, "hold") == 0 && argc == 5)
        hold(&f, n, bench_number(argv[3]));
    else
        bench_die(
            "usage: feed fill|burst JOBS TASK | one|bulk SECONDS | hold BACKLOG SECONDS TASK");
    moil_client_close(f.client);
    bench_meter_close(&f.meter);
    return 0;
}
