/* Redis's clock as seen from here: what its replies tell, carried on by the monotonic clock, so
 * that no step of this machine's wall clock matters. Pure; the scheduler's.
 *
 * A reply that was made between two moments of ours bounds the difference of the clocks from both
 * sides; where what we took for it lies outside, it moves to the nearer bound. So a slow reply
 * spoils nothing, and a Redis whose clock is set is followed at once. */
#ifndef MOIL_WORKER_REDIS_CLOCK_H
#define MOIL_WORKER_REDIS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct redis_clock {
    bool known;
    int64_t offset_us; /* Redis's time since the epoch less our monotonic time */
};

/* A reply that came at `now_us` to what was sent at `sent_us` (both monotonic) told `redis_us`.
 * True when that moved the clock by a millisecond or more. */
bool moil_redis_clock_hear(struct redis_clock *c, int64_t sent_us, int64_t now_us,
                           int64_t redis_us);

static inline int64_t moil_redis_clock_us(const struct redis_clock *c, int64_t monotonic_us)
{
    return monotonic_us + c->offset_us;
}

#endif
