/* The coming runs of many entries, in order. Pure; for `moil beat next`. */
#ifndef MOIL_BEAT_UPCOMING_H
#define MOIL_BEAT_UPCOMING_H

#include "beat/entry.h"

enum { UPCOMING_LOCAL_MAX = 48 };

/* Calls fn for each of the first n runs after a moment, those of the same time in the entries'
 * order. Paused entries have none; one with max_runs, at most so many. 0 or MOIL_ENOMEM. */
typedef void upcoming_cb(void *data, const struct entry *e, int64_t due_ms);
int moil_upcoming(struct entry *const *entries, size_t count, int64_t after_ms, size_t n,
                  upcoming_cb *fn, void *data);

/* A time as the zone's clock shows it: "2026-11-21T12:00:00+08:00", with milliseconds where there
 * are some, and seconds of the offset. Returns out. */
const char *moil_upcoming_local(const struct zone *z, int64_t due_ms, char out[UPCOMING_LOCAL_MAX]);

#endif
