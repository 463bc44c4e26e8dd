/* threads_probe: N threads, each with a loop and a worker of its own, in one process
 * (spec/api/threads_spec.lua).
 *
 *   threads_probe URL THREADS PATH     serves until stdin ends; then stops them all
 *
 * Worker i serves the queue t<i>. Says "ready", and "stopped" of each. */
#include <ev.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/moil.h"

enum { THREADS_MAX = 16 };

static const char *url, *path;
static moil_tasks *tasks;

static struct server {
    int number;
    pthread_t thread;
    struct ev_loop *loop;
    moil_worker *worker;
    ev_async stop;
} servers[THREADS_MAX];

static void say(const char *what, const struct server *s)
{
    char line[64];
    int n = snprintf(line, sizeof line, "%s %d\n", what, s->number);
    if (write(STDOUT_FILENO, line, (size_t)n) != n)
        abort();
}

static void twice(moil_run *run, void *data)
{
    char text[32];
    atomic_uint *calls = data;
    snprintf(text, sizeof text, "%u", 2 * (unsigned)atoi(moil_run_args(run, NULL) + 1));
    atomic_fetch_add(calls, 1);
    if (moil_run_succeed(run, text) != 0)
        abort();
}

static void on_ready(void *data)
{
    say("ready", data);
}

static void on_stopped(void *data)
{
    struct server *s = data;
    say("stopped", s);
    moil_worker_close(s->worker);
    ev_break(s->loop, EVBREAK_ALL);
}

static void stop_cb(struct ev_loop *loop, ev_async *async, int events)
{
    struct server *s = async->data;
    (void)loop, (void)events;
    moil_worker_stop(s->worker, 0, on_stopped, s);
}

static void *serve(void *data)
{
    struct server *s = data;
    char queue[16], errstr[256];
    const char *paths[] = {path, NULL};
    snprintf(queue, sizeof queue, "t%d", s->number);
    if (moil_worker_open(&s->worker, s->loop,
                         &(moil_worker_options){.url = url,
                                                .paths = paths,
                                                .queues = queue,
                                                .name = queue,
                                                .tasks = tasks,
                                                .on_ready = on_ready,
                                                .data = s},
                         errstr, sizeof errstr) != 0) {
        fprintf(stderr, "%s\n", errstr);
        abort();
    }
    ev_run(s->loop, 0);
    ev_async_stop(s->loop, &s->stop);
    ev_loop_destroy(s->loop);
    return NULL;
}

int main(int argc, char **argv)
{
    static atomic_uint calls;
    char byte;
    int count = argc == 4 ? atoi(argv[2]) : 0;
    if (count < 1 || count > THREADS_MAX)
        return 2;
    url = argv[1];
    path = argv[3];
    if (moil_tasks_new(&tasks) != 0 || moil_task_register(tasks, "twice", NULL, twice, &calls) != 0)
        return 1;
    for (int i = 0; i < count; i++) {
        struct server *s = &servers[i];
        s->number = i;
        s->loop = ev_loop_new(0);
        ev_async_init(&s->stop, stop_cb);
        s->stop.data = s;
        ev_async_start(s->loop, &s->stop);
        if (pthread_create(&s->thread, NULL, serve, s) != 0)
            return 1;
    }
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    for (int i = 0; i < count; i++)
        ev_async_send(servers[i].loop, &servers[i].stop);
    for (int i = 0; i < count; i++)
        pthread_join(servers[i].thread, NULL);
    moil_tasks_free(tasks);
    printf("calls %u\n", atomic_load(&calls));
    return 0;
}
