/* lifetime.c: see lifetime.h. */
#include "worker/lifetime.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "worker/worker.h"

enum {
    LOOK_US = 1000 * 1000, /* between two looks at the memory (1.5 us each) … */
    LOOK_JOBS = 128,       /* … or so many jobs, whichever is first */
    MB = 1024 * 1024,
};

void moil_lifetime_init(struct lifetime *l, struct worker *w)
{
    unsigned long max_tasks = w->options.max_tasks;
    *l = (struct lifetime){
        .worker = w, .max_tasks = max_tasks ? max_tasks : ULONG_MAX, .statm_fd = -1};
}

void moil_lifetime_fini(struct lifetime *l)
{
    if (l->statm_fd >= 0)
        close(l->statm_fd);
    l->statm_fd = -1;
}

/* Bytes of the process that are in memory; 0: not to be had. */
static size_t resident(const struct lifetime *l)
{
    char text[128];
    ssize_t n = pread(l->statm_fd, text, sizeof text - 1, 0);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    char *second = strchr(text, ' ');
    return second ? strtoul(second, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

/* The Lua state gets twice the memory at which the worker is replaced: so the job that brings it
 * there can end. */
void moil_lifetime_begin(struct lifetime *l)
{
    size_t max = l->worker->options.max_memory;
    if (!max)
        return;
    moil_vm_limit_memory(l->worker->vm, 2 * max);
    l->statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    size_t now = l->statm_fd >= 0 ? resident(l) : 0;
    if (now == 0)
        log_warning("--max-memory has no effect: /proc/self/statm cannot be read");
    else if (now > max)
        log_warning("--max-memory %zu is less than the %zu MB that a worker has when it starts",
                    max / MB, now / MB + 1);
}

static void retire(struct lifetime *l)
{
    atomic_store(&l->worker->options.page->retires, 1);
    moil_worker_drain(l->worker, false);
}

static void look(struct lifetime *l)
{
    size_t max = l->worker->options.max_memory, now = resident(l);
    if (now <= max)
        return;
    log_info(
        "this worker holds %zu MB after %lu jobs, more than --max-memory %zu: it finishes what "
        "runs and is replaced",
        now / MB, l->started, max / MB);
    retire(l);
}

void moil_lifetime_turn(struct lifetime *l)
{
    struct worker *w = l->worker;
    if (w->state >= WORKER_STOPPING)
        return;
    if (l->started >= l->max_tasks) {
        log_info("this worker has started %lu jobs (--max-tasks): it finishes what runs and is "
                 "replaced",
                 l->started);
        retire(l);
        return;
    }
    if (l->statm_fd < 0 || (l->started == l->seen && !w->running))
        return;
    int64_t now_us = moil_clock_monotonic_us();
    if (l->started - l->seen < LOOK_JOBS && now_us - l->look_us < LOOK_US)
        return;
    l->seen = l->started;
    l->look_us = now_us;
    look(l);
}
