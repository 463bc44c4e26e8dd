/* A producer: sends many jobs in one call, waits for their results, then follows the progress of
 * one more. What it shows besides: errors, sending again without doing twice, and a clean end at
 * INT or TERM, which takes back what has not begun.
 *
 *   build/moil dev tasks                                 in one terminal
 *   make examples; build/examples/producer 1000          in another
 *
 * With an installed moil, in a folder of your own:
 *
 *   cc -o producer producer.c $(pkg-config --cflags --libs moil) && ./producer 1000
 */
#include <moil.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ATTEMPTS = 3, JOBS_MAX = 100000 };

static const double GLANCE_S = 1, PATIENCE_S = 30;

static volatile sig_atomic_t stopped; /* the signal's number */

static void stop(int number)
{
    stopped = number;
}

static int complain(const moil_client *client, const char *what, int status)
{
    const char *why = moil_client_error(client);
    fprintf(stderr, "%s: %s\n", what, *why ? why : moil_status_text(status));
    return status;
}

/* Enqueues `count` jobs, math.add(i, i), and keeps their ids. */
static int enqueue(moil_client *client, moil_enqueued *ids, size_t count)
{
    moil_job *jobs = calloc(count, sizeof *jobs);
    char(*args)[64] = calloc(count, sizeof *args);
    int status = MOIL_STATUS_NOMEM;
    if (jobs && args) {
        for (size_t i = 0; i < count; i++) {
            snprintf(args[i], sizeof args[i], "[%zu, %zu]", i + 1, i + 1);
            jobs[i] = (moil_job){.task = "math.add", .args = args[i]};
        }
        status = moil_enqueue(client, jobs, count, ids);
    }
    /* Some of the jobs may be in. With the ids that they got, the same call sends those that are
     * missing, and none twice. */
    for (int i = 1; status == MOIL_STATUS_UNAVAILABLE && i < ATTEMPTS && !stopped; i++) {
        complain(client, "not enqueued yet", status);
        sleep(1); /* a signal ends it */
        for (size_t k = 0; k < count; k++)
            jobs[k].id = ids[k].id;
        status = moil_enqueue(client, jobs, count, NULL);
    }
    free(jobs);
    free(args);
    return status ? complain(client, "enqueue", status) : 0;
}

/* Waits for one job, in slices, so that a signal is soon seen. That the job failed is no error of
 * the call: result->state says so. */
static int wait_for(moil_client *client, const char *id, moil_result *result)
{
    int status = MOIL_STATUS_TIMEOUT;
    for (int slices = 0; status == MOIL_STATUS_TIMEOUT && !stopped; slices++) {
        if (slices == 1 && moil_is_served(client, NULL) == 0)
            fprintf(stderr, "no worker serves these queues: waiting for one\n");
        status = moil_wait(client, id, GLANCE_S, NULL, NULL, result);
    }
    return status;
}

/* Adds up what came of them. */
static int collect(moil_client *client, const moil_enqueued *ids, size_t count)
{
    long long sum = 0;
    size_t failed = 0;
    for (size_t i = 0; i < count; i++) {
        moil_result result;
        int status = wait_for(client, ids[i].id, &result);
        if (status)
            return stopped ? status : complain(client, ids[i].id, status);
        if (strcmp(result.state, "SUCCESS") == 0) {
            sum += strtoll(result.value, NULL, 10);
        } else {
            failed++;
            fprintf(stderr, "%s: %s %s\n", ids[i].id, result.state, result.value);
        }
        moil_free(result.value);
    }
    printf("%zu jobs, sum %lld, %zu failed\n", count, sum, failed);
    return 0;
}

static int show(void *data, const char *state, const char *meta, size_t meta_len)
{
    (void)data;
    printf("%s %.*s\n", state, (int)meta_len, meta);
    fflush(stdout);
    return stopped; /* anything but 0 ends the wait */
}

static int follow(moil_client *client)
{
    const moil_job job = {.task = "demo.progress", .args = "[5, 1]"};
    moil_enqueued out;
    moil_result result;
    int status = moil_enqueue(client, &job, 1, &out);
    if (!status)
        status = moil_wait(client, out.id, PATIENCE_S, show, NULL, &result);
    if (status)
        return stopped ? status : complain(client, job.task, status);
    printf("%s %s\n", result.state, result.value);
    moil_free(result.value);
    return 0;
}

/* What no worker has begun never runs; the rest goes on. */
static void take_back(moil_client *client, const moil_enqueued *ids, size_t count)
{
    size_t revoked = 0;
    char state[201];
    int status = 0;
    for (size_t i = 0; i < count && status != MOIL_STATUS_UNAVAILABLE; i++) {
        status = moil_revoke(client, ids[i].id, 0, state);
        revoked += status == 0 && strcmp(state, "REVOKED") == 0;
    }
    fprintf(stderr, "stopped: %zu of %zu jobs taken back\n", revoked, count);
}

int main(int argc, char **argv)
{
    moil_client *client;
    char why[256];
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
    if (count < 1 || count > JOBS_MAX) {
        fprintf(stderr, "usage: %s [JOBS]\n", argv[0]);
        return 2;
    }
    signal(SIGINT, stop);
    signal(SIGTERM, stop);

    /* No options: the server that MOIL_REDIS names, or that of `moil dev` in this folder. */
    if (moil_client_open(&client, NULL, why, sizeof why) != 0) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    moil_enqueued *ids = calloc((size_t)count, sizeof *ids);
    int status = ids ? enqueue(client, ids, (size_t)count) : MOIL_STATUS_NOMEM;
    if (status == 0)
        status = collect(client, ids, (size_t)count);
    if (status == 0)
        status = follow(client);
    if (stopped && ids)
        take_back(client, ids, (size_t)count);
    free(ids);
    moil_client_close(client);
    return stopped ? 128 + stopped : status != 0;
}
