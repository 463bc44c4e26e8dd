/* How long to wait before a dead child is started again, and whether its deaths are a crash loop.
 *
 * Pure: time comes in as a parameter. One per child slot. */
#ifndef MOIL_SUPER_BACKOFF_H
#define MOIL_SUPER_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

struct backoff {
    int64_t delay_ms; /* of the last restart; 0 at first */
    int quick_deaths; /* in a row, each within BACKOFF_STABLE_MS of its start */
};

enum {
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 30000,
    BACKOFF_WORKED_MS = 1000,  /* one that lived this long cost less than it worked: its jobs run
                                  again at once, however often it dies */
    BACKOFF_STABLE_MS = 10000, /* a child that lived this long was healthy: its death is a single
                                  crash */
    BACKOFF_LOOP_DEATHS = 5,   /* quick deaths in a row that are called a crash loop */
};

/* A child that lived lived_ms died; returns how many milliseconds to wait before the next start. */
int64_t moil_backoff_death(struct backoff *b, int64_t lived_ms);

bool moil_backoff_is_loop(const struct backoff *b);

#endif
