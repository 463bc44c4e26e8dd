/* A task in C, called from a chain in Lua (pipeline.lua), in a program that is a `moil worker` of
 * its own: supervisor, worker processes, a private Redis, reload at HUP. The task reads a file in a
 * thread, and ends its run from the loop, so that its worker does other jobs meanwhile.
 *
 *   make examples; build/examples/pipeline examples/pipeline.lua  in one terminal
 *   build/moil call pipeline.run README.md --wait                 in another
 *
 * With an installed moil, and pipeline.lua in the folder tasks:
 *
 *   cc -o pipeline pipeline.c $(pkg-config --cflags --libs moil jansson) -lev && ./pipeline tasks
 */
#include <errno.h>
#include <ev.h>
#include <jansson.h>
#include <moil.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- file.checksum(path) → {path, bytes, checksum} -------------------------------------------- */

struct work {
    moil_run *run;
    struct ev_loop *loop;
    json_t *args; /* owns path */
    const char *path;
    pthread_t thread;
    ev_async done;
    atomic_int is_cancelled;
    /* Of the thread until it has ended: */
    uint32_t checksum;
    json_int_t bytes;
    int error;
};

static void *read_file(void *data)
{
    struct work *w = data;
    FILE *file = fopen(w->path, "rb");
    int byte;
    w->checksum = 2166136261U; /* FNV-1a */
    while (file && !atomic_load(&w->is_cancelled) && (byte = getc(file)) != EOF) {
        w->checksum = (w->checksum ^ (uint32_t)byte) * 16777619U;
        w->bytes++;
    }
    if (!file || ferror(file))
        w->error = errno;
    if (file)
        fclose(file);
    ev_async_send(w->loop, &w->done); /* the one call that other threads may make */
    return NULL;
}

static void give_back(struct work *w)
{
    pthread_join(w->thread, NULL);
    ev_async_stop(w->loop, &w->done);
    json_decref(w->args);
    free(w);
}

/* From the loop, as the thread has ended: the run ends. */
static void finish(struct ev_loop *loop, ev_async *done, int events)
{
    struct work *w = done->data;
    (void)loop;
    (void)events;
    if (w->error) {
        moil_run_fail(w->run, "ReadFailed", strerror(w->error));
    } else {
        json_t *found = json_pack("{s:s, s:I, s:I}", "path", w->path, "bytes", w->bytes, "checksum",
                                  (json_int_t)w->checksum);
        char *text = json_dumps(found, 0);
        moil_run_succeed(w->run, text);
        free(text);
        json_decref(found);
    }
    give_back(w);
}

/* The worker ends the run: its limit is over, it was revoked, … Afterwards it is gone. */
static void cancel(moil_run *run, void *data)
{
    struct work *w = data;
    (void)run;
    atomic_store(&w->is_cancelled, 1);
    give_back(w);
}

static void checksum(moil_run *run, void *data)
{
    struct work *w = calloc(1, sizeof *w);
    json_t *args = json_loads(moil_run_args(run, NULL), 0, NULL);
    (void)data;
    if (!w || json_unpack(args, "[s]", &w->path) != 0) {
        moil_run_fail(run, "BadArgument", "file.checksum takes a path");
        json_decref(args);
        free(w);
        return;
    }
    w->run = run;
    w->args = args;
    w->loop = moil_run_loop(run);
    ev_async_init(&w->done, finish);
    w->done.data = w;
    ev_async_start(w->loop, &w->done); /* before the thread may use it */
    if (pthread_create(&w->thread, NULL, read_file, w) == 0) {
        moil_run_on_cancel(run, cancel, w);
        return;
    }
    moil_run_retry(run, 1, "NoThread", "no thread to read in");
    ev_async_stop(w->loop, &w->done);
    json_decref(args);
    free(w);
}

int main(int argc, char **argv)
{
    moil_tasks *tasks;
    if (argc < 2) {
        fprintf(stderr, "usage: %s TASKS...\n", argv[0]);
        return 2;
    }
    if (moil_tasks_new(&tasks) != 0 ||
        moil_task_register(tasks, "file.checksum", "{\"time_limit\": 60}", checksum, NULL) != 0) {
        fprintf(stderr, "the tasks cannot be registered\n");
        return 1;
    }
    /* This process becomes the supervisor; it returns at INT or TERM, when all is done. */
    const moil_runtime_options options = {
        .url = getenv("MOIL_REDIS") ? NULL : "embedded", /* in the folder .moil */
        .paths = (const char *const *)argv + 1,
        .tasks = tasks,
        .workers = 2,
    };
    int status = moil_runtime_run(&options);
    moil_tasks_free(tasks);
    return status;
}
