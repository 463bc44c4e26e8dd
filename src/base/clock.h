/* The two clocks. Deadlines and durations use the monotonic one; users see the wall clock. */
#ifndef MOIL_BASE_CLOCK_H
#define MOIL_BASE_CLOCK_H

#include <stdint.h>

/* Lets an embedding program say what time it is; NULL: the system's. Both are called from any
 * thread that uses moil, and the monotonic one never steps back. */
struct clock_source {
    int64_t (*wall_us)(void *data);
    int64_t (*monotonic_us)(void *data);
    void *data;
};
void moil_clock_set(const struct clock_source *set); /* copied; NULL: the system's both */

int64_t moil_clock_wall_us(void);      /* since the epoch */
int64_t moil_clock_monotonic_us(void); /* never steps back */

/* The wall clock, but strictly growing within this process, so that jobs can be ordered by it. */
int64_t moil_clock_stamp_us(void);

#endif
