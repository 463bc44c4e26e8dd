/* A client in each of several threads, at the same time and without a lock: what
 * spec/api/client_threads_spec.lua runs, plain and under ThreadSanitizer. Built as
 * build/spec/client_threads_probe; knows moil.h and libev alone.
 *
 *   client_threads_probe URL THREADS ROUNDS
 *
 * Every other thread has a client on a loop of its own, the others a blocking one. Each enqueues
 * jobs that nobody runs, looks at them, revokes them, and waits for their end. The URL has a host
 * name, so that looking it up is tried too. Prints how many rounds went well. */
#include <ev.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/moil.h"

enum { THREADS_MAX = 16, BATCH = 20 };

struct member {
    pthread_t thread;
    const char *url;
    unsigned rounds, right;
    struct ev_loop *loop; /* of one that does not block */
    moil_async *async;
    char id[201];
};

/* --- blocking --------------------------------------------------------------------------------- */

static int round_blocking(moil_client *client)
{
    moil_job jobs[BATCH];
    moil_enqueued out[BATCH];
    moil_result result;
    char *json = NULL;
    for (int i = 0; i < BATCH; i++)
        jobs[i] = (moil_job){.task = "none", .args = "[1, 2]"};
    int status = moil_enqueue(client, jobs, BATCH, out);
    if (!status)
        status = moil_inspect_job(client, out[0].id, &json);
    moil_free(json);
    for (int i = 0; i < BATCH && !status; i++)
        status = moil_revoke(client, out[i].id, 0, NULL);
    if (!status)
        status = moil_wait(client, out[0].id, 20, NULL, NULL, &result);
    if (!status)
        moil_free(result.value);
    return status;
}

static void *run_blocking(void *data)
{
    struct member *m = data;
    moil_client *client;
    char why[256];
    moil_client_options options = {.url = m->url, .deadline = 20};
    if (moil_client_open(&client, &options, why, sizeof why) != 0)
        return NULL;
    for (unsigned i = 0; i < m->rounds; i++)
        m->right += round_blocking(client) == 0;
    moil_client_close(client);
    return NULL;
}

/* --- on a loop -------------------------------------------------------------------------------- */

static void begin_round(struct member *m);

static void end_round(struct member *m, int status)
{
    m->right += status == 0;
    if (--m->rounds > 0)
        begin_round(m);
    else
        ev_break(m->loop, EVBREAK_ALL);
}

static void waited(void *data, int status, const char *error, const moil_result *result)
{
    (void)error;
    (void)result;
    end_round(data, status);
}

static void revoked(void *data, int status, const char *error, const char *state)
{
    struct member *m = data;
    (void)error;
    (void)state;
    if (status || !moil_async_wait(m->async, m->id, 20, NULL, waited, m))
        end_round(m, -1);
}

static void enqueued(void *data, int status, const char *error, const moil_enqueued *jobs,
                     size_t count)
{
    struct member *m = data;
    (void)error;
    (void)count;
    memcpy(m->id, jobs[0].id, sizeof m->id);
    if (status || !moil_async_revoke(m->async, m->id, 0, revoked, m))
        end_round(m, -1);
}

static void begin_round(struct member *m)
{
    moil_job jobs[BATCH];
    for (int i = 0; i < BATCH; i++)
        jobs[i] = (moil_job){.task = "none", .args = "[3]"};
    if (!moil_async_enqueue(m->async, jobs, BATCH, enqueued, m))
        ev_break(m->loop, EVBREAK_ALL);
}

static void *run_async(void *data)
{
    struct member *m = data;
    char why[256];
    moil_client_options options = {.url = m->url, .deadline = 20};
    m->loop = ev_loop_new(EVFLAG_AUTO);
    if (moil_async_open(&m->async, m->loop, &options, why, sizeof why) == 0) {
        begin_round(m);
        ev_run(m->loop, 0);
        moil_async_close(m->async);
    }
    ev_loop_destroy(m->loop);
    return NULL;
}

int main(int argc, char **argv)
{
    static struct member members[THREADS_MAX];
    unsigned right = 0;
    if (argc < 4)
        return 2;
    int count = atoi(argv[2]) < THREADS_MAX ? atoi(argv[2]) : THREADS_MAX;
    for (int i = 0; i < count; i++) {
        members[i].url = argv[1];
        members[i].rounds = (unsigned)atoi(argv[3]);
        pthread_create(&members[i].thread, NULL, i % 2 ? run_async : run_blocking, &members[i]);
    }
    for (int i = 0; i < count; i++) {
        pthread_join(members[i].thread, NULL);
        right += members[i].right;
    }
    printf("%u\n", right);
    return 0;
}
