/* tally.c: see tally.h. */
#include "worker/tally.h"

#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"

#define OTHER "other"

/* Seven decades: most jobs take milliseconds, and few more than minutes. */
const int64_t moil_tally_bounds[TALLY_BUCKETS] = {
    1000,    5000,    10000,   25000,    50000,    100000,    250000,    500000,
    1000000, 2500000, 5000000, 10000000, 60000000, 300000000, 900000000, 3600000000,
};

struct tally *moil_tally_new(void)
{
    struct tally *t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (t == MAP_FAILED)
        return NULL;
    t->started_us = moil_clock_wall_us();
    memcpy(t->names[0], OTHER, sizeof OTHER);
    atomic_store(&t->names_used, 1);
    return t;
}

void moil_tally_free(struct tally *t)
{
    if (t)
        munmap(t, sizeof *t);
}

/* The name is there before it counts: who dies in between has done nothing. */
void moil_tally_add_task(struct tally *t, struct slice name)
{
    uint32_t used = atomic_load(&t->names_used);
    if (used > TALLY_TASKS_MAX || name.n > MOIL_NAME_MAX || moil_tally_find_task(t, name) != 0)
        return;
    memset(t->names[used], 0, sizeof t->names[used]);
    memcpy(t->names[used], name.p, name.n);
    atomic_store(&t->names_used, used + 1);
}

uint32_t moil_tally_find_task(const struct tally *t, struct slice name)
{
    uint32_t used = atomic_load(&t->names_used);
    for (uint32_t i = 1; i < used; i++) {
        if (slice_is(name, t->names[i]))
            return i;
    }
    return 0;
}

static void add(_Atomic uint64_t *sum, const _Atomic uint64_t *part)
{
    moil_tally_add(sum, atomic_load_explicit(part, memory_order_relaxed), false);
}

void moil_tally_sum(const struct tally *t, uint32_t place, int slots, struct task_tally *out)
{
    memset(out, 0, sizeof *out);
    for (int slot = 0; slot < slots && slot < TALLY_SHARDS; slot++) {
        const struct task_tally *part = &t->shards[slot].tasks[place];
        add(&out->started, &part->started);
        add(&out->duration_us, &part->duration_us);
        for (int i = 0; i < TALLY_ENDS; i++)
            add(&out->ended[i], &part->ended[i]);
        for (int i = 0; i < TALLY_LIMITS; i++)
            add(&out->limits[i], &part->limits[i]);
        for (int i = 0; i <= TALLY_BUCKETS; i++)
            add(&out->duration[i], &part->duration[i]);
    }
}
