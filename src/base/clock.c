/* Reads the system's clocks, or those that the embedding program has put in their place. Called by
 * every layer; knows nothing of what the times are for. */
#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

static struct clock_source source; /* set before anything else, then only read */

void moil_clock_set(const struct clock_source *set)
{
    source = set ? *set : (struct clock_source){0};
}

static int64_t read_us(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t moil_clock_wall_us(void)
{
    return source.wall_us ? source.wall_us(source.data) : read_us(CLOCK_REALTIME);
}

int64_t moil_clock_monotonic_us(void)
{
    return source.monotonic_us ? source.monotonic_us(source.data) : read_us(CLOCK_MONOTONIC);
}

int64_t moil_clock_stamp_us(void)
{
    /* Clients in several threads may share it. */
    static _Atomic int64_t last;
    int64_t now = moil_clock_wall_us();
    int64_t seen = atomic_load(&last);
    int64_t stamp;

    do {
        stamp = now > seen ? now : seen + 1;
    } while (!atomic_compare_exchange_weak(&last, &seen, stamp));
    return stamp;
}
