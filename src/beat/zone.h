/* Time zones, from the system's TZif files (TZDIR, else /usr/share/zoneinfo).
 *
 * A zone is spans of constant offset: those that the file lists, then those of its POSIX rule for
 * ever. Any number of zones live beside each other; TZ, tzset and localtime are not touched. Used
 * by schedule.c and entry.c. Knows nothing of schedules.
 *
 * All times are whole seconds: an instant since the epoch (UTC), a local time as what the zone's
 * wall clock shows, counted as if it were UTC. */
#ifndef MOIL_BEAT_ZONE_H
#define MOIL_BEAT_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum { ZONE_NAME_MAX = 64 };

struct zone;

/* Zones that are open: each file is read once. Not for several threads at once. */
struct zones;

struct zones *moil_zones_new(void); /* NULL: out of memory */
void moil_zones_free(struct zones *zones);

/* The zone of that name, which lives as long as `zones`. NULL with one line in errstr, naming the
 * nearest zone, where there is none. "UTC" is always there, without a file too. */
const struct zone *moil_zones_get(struct zones *zones, const char *name, char *errstr,
                                  size_t errlen);

/* What an entry that names no zone gets: UTC, until this is called. 0, or MOIL_EINVAL with one
 * line in errstr, and nothing changed. */
int moil_zones_set_default(struct zones *zones, const char *name, char *errstr, size_t errlen);
const struct zone *moil_zones_default(const struct zones *zones);

/* A zone from the bytes of a TZif file; free it. NULL with a sentence in errstr. */
struct zone *moil_zone_decode(const char *name, struct slice bytes, char *errstr, size_t errlen);
void moil_zone_free(struct zone *z);

const char *moil_zone_name(const struct zone *z);

/* The span that an instant lies in: from <= instant < until. */
struct zone_span {
    int64_t from;  /* INT64_MIN: since ever */
    int64_t until; /* INT64_MAX: for ever */
    int offset;    /* seconds east of UTC */
};

struct zone_span moil_zone_span(const struct zone *z, int64_t instant);

/* The furthest that the wall clock has got up to an instant (which counts): its reading, but where
 * it was set back, what it had shown before. */
int64_t moil_zone_reached(const struct zone *z, int64_t instant);

/* The first instant at which the wall clock shows a local time or a later one. A time that is
 * skipped comes when the clock jumps over it; of a time that comes twice this is the first. So for
 * all instants: moil_zone_first(z, local) > instant exactly where local > moil_zone_reached(z,
 * instant). */
int64_t moil_zone_first(const struct zone *z, int64_t local);

#endif
