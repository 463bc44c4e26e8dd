/* One whole entry of a beat schedule: what to enqueue, and when. Made from plain data, a JSON
 * object; see docs/scheduling.md for its fields.
 *
 * Used by who schedules (worker/), checks (api/) and shows (moil beat). Pure: knows no Redis and
 * no clock. */
#ifndef MOIL_BEAT_ENTRY_H
#define MOIL_BEAT_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "beat/schedule.h"
#include "beat/zone.h"

enum { ENTRY_TEXT_MAX = 1 << 20 }; /* bytes of JSON */

enum catch_up {
    CATCH_UP_ONE,  /* of several that were missed, the latest runs */
    CATCH_UP_ALL,  /* each runs */
    CATCH_UP_NONE, /* none runs */
};

struct entry {
    char *name;
    char *task;
    char *queue;  /* NULL: not said */
    char *args;   /* JSON array, "[]" at least */
    char *kwargs; /* JSON object with something in it, or NULL */
    char *extra;  /* JSON object with something in it, or NULL: "Fields of extra" without the times
                   */
    char *when;   /* for people: "every 5 s", "cron 0 12 * * *", "solar sunset 31.23 121.47" */
    int priority; /* 0 to 9; -1: not said */
    bool at_front;
    bool overlap; /* false: skip while the last run still goes */
    bool paused;
    enum catch_up catch_up;
    int64_t expires_ms; /* after a run's due time; 0: never */
    int64_t jitter_ms;  /* a run may be put off by up to so much */
    int64_t max_runs;   /* 0: no bound */
    struct schedule schedule;
};

/* An entry from its JSON text, which is not kept; its zone is one of `zones`, which must outlive
 * it. Free it. NULL with one line in errstr that names entry and field
 * (`beat entry "noon": cron: minute: 61 is out of range 0-59`). */
struct entry *moil_entry_parse(struct zones *zones, const char *name, struct slice json,
                               char *errstr, size_t errlen);
void moil_entry_free(struct entry *e);

/* The first time due strictly after another one, in ms since the epoch; MOIL_NEVER: none. Bounded
 * by start and stop, neither by max_runs nor paused; without jitter. */
int64_t moil_entry_next(const struct entry *e, int64_t after_ms);

/* Appends the record's extra (docs/protocol.md, "Fields of extra") of the run that is due then:
 * `extra`, that moment as eta (so that a run which is caught up knows which it is), and when it
 * expires. */
void moil_entry_extra(const struct entry *e, int64_t due_ms, struct buffer *out);

/* "one", "all", "none" */
const char *moil_catch_up_name(enum catch_up c);

#endif
