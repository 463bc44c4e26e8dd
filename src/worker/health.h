/* How a worker does, judged from outside of it: ok, degraded or stuck, and why. Pure: times come
 * in.
 *
 * The worker notes on its page since when it waits for what (worker.c); the agent judges once a
 * second (watchdog.c), logs each change and reports it. Everything that is waited for here is
 * answered within seconds where all is well, so a worker that idles, or is busy, is never called
 * anything but ok. */
#ifndef MOIL_WORKER_HEALTH_H
#define MOIL_WORKER_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum health {
    HEALTH_OK,
    HEALTH_DEGRADED, /* late: a restart of Redis looks like this */
    HEALTH_STUCK,    /* nothing gets done, and that will not pass by itself */
};

/* Monotonic times in microseconds; 0: it does not wait for that. */
struct health_facts {
    int64_t unlinked_us;  /* since when it has no connection to settle and fetch on */
    int64_t hungry_us;    /* since when a fetch, blocking or not, has gone without a good answer */
    int64_t unsettled_us; /* since when no verdict of those that wait was taken by Redis */
    int64_t turned_us;    /* the last turn of its loop */
    bool is_on_cpu;       /* a job is, and may keep the loop from turning */
};

enum {
    MOIL_HEALTH_LATE_S = 3,
    MOIL_HEALTH_STUCK_S = 10,
    MOIL_HEALTH_FETCH_LATE_S = 8,   /* a blocking fetch answers after 5 s at the latest … */
    MOIL_HEALTH_FETCH_STUCK_S = 10, /* … and is given up after 10 */
    MOIL_HEALTH_STILL_S = 20,       /* an idle loop turns every 10 s at least */
};

/* The reason is one line; "" when ok. */
enum health moil_health_judge(const struct health_facts *f, int64_t now_us, char *why, size_t size);

/* "ok", "degraded", "stuck". */
const char *moil_health_name(enum health health);

#endif
