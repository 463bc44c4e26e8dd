/* counter.c: see counter.h. A job is counted as its verdict is made, so one that comes again, since
 * its worker died before Redis had the verdict, is counted again. */
#include "worker/counter.h"

#include "worker/delivery.h"
#include "worker/worker.h"

static bool find_place(void *data, struct task *task)
{
    task->tally_place = moil_tally_find_task(data, task->name);
    return true;
}

void moil_counter_begin(struct worker *w)
{
    struct tally *t = w->options.tally;
    if (!t)
        return;
    w->counter = (struct counter){.shard = moil_tally_shard(t, w->options.slot),
                                  .is_shared = moil_tally_is_shared(w->options.slot)};
    moil_vm_each_task(w->vm, find_place, t);
}

void moil_counter_reconnected(struct worker *w)
{
    if (w->counter.shard)
        moil_tally_add(&w->counter.shard->reconnects, 1, w->counter.is_shared);
}

/* NULL: nobody counts. */
static struct task_tally *tally_of(const struct delivery *d)
{
    struct tally_shard *shard = d->worker->counter.shard;
    return shard ? &shard->tasks[d->task ? d->task->tally_place : 0] : NULL;
}

static void add(const struct delivery *d, _Atomic uint64_t *counter, uint64_t by)
{
    moil_tally_add(counter, by, d->worker->counter.is_shared);
}

void moil_counter_started(const struct delivery *d)
{
    struct task_tally *t = tally_of(d);
    if (t)
        add(d, &t->started, 1);
}

void moil_counter_ended(const struct delivery *d, enum tally_end how)
{
    struct task_tally *t = tally_of(d);
    if (t)
        add(d, &t->ended[how], 1);
}

void moil_counter_error(const struct delivery *d, struct slice error)
{
    static const char *const beginnings[TALLY_LIMITS] = {
        [TALLY_SOFT_TIME] = "{\"code\":\"SoftTimeLimitExceeded\"",
        [TALLY_HARD_TIME] = "{\"code\":\"TimeLimitExceeded\"",
        [TALLY_MEMORY] = "{\"code\":\"MemoryLimitExceeded\"",
    };
    struct task_tally *t = tally_of(d);
    for (int i = 0; t && error.p && i < TALLY_LIMITS; i++) {
        size_t n = strlen(beginnings[i]);
        if (error.n >= n && memcmp(error.p, beginnings[i], n) == 0)
            add(d, &t->limits[i], 1);
    }
}

void moil_counter_took(const struct delivery *d, int64_t took_us)
{
    struct task_tally *t = tally_of(d);
    int i = 0;
    if (!t)
        return;
    while (i < TALLY_BUCKETS && took_us > moil_tally_bounds[i])
        i++;
    add(d, &t->duration[i], 1);
    add(d, &t->duration_us, took_us > 0 ? (uint64_t)took_us : 0);
}
