/* One entry's timing: every, cron, solar or at, and the moments between which it holds.
 *
 * Pure: times come in and go out as milliseconds since the epoch. Used by entry.c. Knows nothing of
 * tasks. */
#ifndef MOIL_BEAT_SCHEDULE_H
#define MOIL_BEAT_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "beat/cron.h"
#include "beat/solar.h"
#include "beat/zone.h"

#define MOIL_NEVER INT64_MAX

enum schedule_kind { SCHEDULE_EVERY, SCHEDULE_CRON, SCHEDULE_SOLAR, SCHEDULE_AT };

struct schedule {
    enum schedule_kind kind;
    int64_t start_ms; /* nothing is due before; INT64_MIN: no bound. `every` counts from it */
    int64_t stop_ms;  /* nothing is due after; INT64_MAX: no bound */
    const struct zone *zone;
    union {
        int64_t every_us; /* 10,000 at least */
        int64_t at_ms;
        struct cron cron;
        struct solar solar;
    };
};

/* The first time due strictly after another one; MOIL_NEVER: none. `every` is due at the multiples
 * of its interval since the epoch, or since its start, so all schedulers agree without talking. A
 * cron time is the zone's: one that the clock skips is due at the next minute that exists, one that
 * it shows twice at the first. */
int64_t moil_schedule_next(const struct schedule *s, int64_t after_ms);

/* A point in time as entries say it: ISO 8601 with an offset, or without one as the zone's local
 * time, or a date alone (its midnight), or seconds since the epoch. 0, or MOIL_EINVAL. */
int moil_schedule_instant(const struct zone *z, const char *text, int64_t *out_ms);

#endif
