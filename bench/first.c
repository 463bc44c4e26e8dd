/* From exec to the first job done: a job waits in Redis, then a `moil worker` is started.
 *
 *   first RUNS COMMAND [ARG]...
 *
 * Prints the median of the times in ms, from before the fork until the result is here. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/moil.h"
#include "base/clock.h"
#include "support/meter.h"

enum { RUNS_MAX = 100 };

static pid_t start(char **command)
{
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        if (null < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
            _exit(126);
        execv(command[0], command);
        _exit(127);
    }
    if (pid < 0)
        bench_die("first: cannot fork");
    return pid;
}

static double one_run(moil_client *client, char **command)
{
    moil_job job = {.task = "bench.noop"};
    moil_enqueued enqueued;
    moil_result result;
    if (moil_enqueue(client, &job, 1, &enqueued) != 0)
        bench_die("first: %s", moil_client_error(client));
    int64_t from_us = moil_clock_monotonic_us();
    pid_t worker = start(command);
    if (moil_wait(client, enqueued.id, 10, NULL, NULL, &result) != 0) {
        kill(worker, SIGTERM);
        bench_die("first: %s", moil_client_error(client));
    }
    double took_ms = (double)(moil_clock_monotonic_us() - from_us) / 1e3;
    moil_free(result.value);
    kill(worker, SIGTERM);
    if (waitpid(worker, NULL, 0) != worker)
        bench_die("first: the worker is gone");
    return took_ms;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        bench_die("usage: first RUNS COMMAND [ARG]...");
    double took_ms[RUNS_MAX];
    size_t runs = (size_t)bench_number(argv[1]);
    moil_client *client;
    char why[256];
    if (runs > RUNS_MAX || moil_client_open(&client, NULL, why, sizeof why) != 0)
        bench_die("first: cannot begin");
    for (size_t i = 0; i < runs; i++)
        took_ms[i] = one_run(client, argv + 2);
    printf("ms %.2f max_ms %.2f\n", bench_percentile(took_ms, runs, 50),
           bench_percentile(took_ms, runs, 100));
    moil_client_close(client);
    return 0;
}
