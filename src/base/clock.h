/* The two clocks. Deadlines and durations use the monotonic one; users see the wall clock. */
#ifndef MOIL_BASE_CLOCK_H
#define MOIL_BASE_CLOCK_H

#include <stdint.h>

int64_t moil_clock_wall_us(void);      /* since the epoch */
int64_t moil_clock_monotonic_us(void); /* never steps back */

/* The wall clock, but strictly growing within this process, so that jobs can be ordered by it. */
int64_t moil_clock_stamp_us(void);

#endif
