/* The hooks of moil.h as a program sees them: what spec/api/hooks_spec.lua runs. Built as
 * build/spec/hooks_probe; knows moil.h alone.
 *
 *   hooks_probe URL TASKS [LIMIT]
 *
 * Loads TASKS and enqueues a thousand jobs with an allocator, a log and a clock of its own, and
 * prints a line for each finding. With LIMIT the allocator refuses from that allocation on: then
 * only what the calls return matters, and that nothing is lost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/moil.h"

enum { JOBS = 1000 };

static struct {
    long calls, held, limit;
} memory;

/* Each block has its own size in front. */
static void *counted(void *data, void *p, size_t size)
{
    size_t *block = p ? (size_t *)p - 2 : NULL;
    (void)data;
    if (size == 0) {
        if (block)
            memory.held--;
        free(block);
        return NULL;
    }
    if (memory.limit && ++memory.calls > memory.limit)
        return NULL;
    size_t *moved = realloc(block, size + 2 * sizeof *moved);
    if (!moved)
        return NULL;
    memory.held += block ? 0 : 1;
    memory.calls += memory.limit ? 0 : 1;
    return moved + 2;
}

static void log_line(void *data, enum moil_log_level level, const char *line, size_t len)
{
    printf("log %s %d %zu %s\n", (const char *)data, (int)level, len - strlen(line), line);
    fflush(stdout); /* also in the child that loads the tasks, which leaves by _exit */
}

static int64_t wall(void *data)
{
    (void)data;
    return INT64_C(1000000000000000); /* 2001-09-09T01:46:40Z */
}

static int use(const char *url)
{
    moil_client *client;
    moil_job jobs[JOBS];
    char why[256] = "", *json = NULL;
    moil_client_options options = {.url = url};
    int status = moil_client_open(&client, &options, why, sizeof why);
    if (status)
        return status;
    for (size_t i = 0; i < JOBS; i++)
        jobs[i] = (moil_job){.task = "none"};
    jobs[0].id = "the-first";
    status = moil_enqueue(client, jobs, JOBS, NULL);
    if (!status)
        status = moil_inspect_job(client, "the-first", &json);
    if (!status)
        printf("job %s\n", json);
    moil_free(json);
    moil_client_close(client);
    return status;
}

int main(int argc, char **argv)
{
    static char mark[] = "mine";
    char why[512] = "", *json = NULL;
    memory.limit = argc > 3 ? atol(argv[3]) : 0;
    moil_set_allocator(counted, NULL);
    moil_set_log(log_line, mark);
    moil_set_clock(&(moil_clock){.wall_us = wall});
    if (argc < 3)
        return 2;
    printf("status %d\n", use(argv[1]));
    printf("held %ld\n", memory.held);
    long before = memory.calls;
    const char *paths[] = {argv[2], NULL};
    moil_runtime_options options = {.paths = paths};
    fflush(stdout);
    int status = moil_runtime_check(&options, &json, why, sizeof why);
    printf("check %d %s\n", status, why);
    moil_free(json);
    printf("allocations %d %d\n", before > 0, memory.calls > before);
    printf("held %ld\n", memory.held);
    return 0;
}
