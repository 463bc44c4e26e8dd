/* What the scheduler knows of each entry, and which of them is to be looked at next, and why.
 *
 * An entry comes from the beat file of this node, or was added at run time (it lives in Redis, and
 * hides one of the file that has its name). The state of either is in Redis: how far it has come
 * (LAST_DUE), how often it ran, whether it is paused. Pure but for memory: time comes in as
 * milliseconds of Redis's clock; what is decided here is done, or not, by a script that compares.
 */
#ifndef MOIL_WORKER_TIMETABLE_H
#define MOIL_WORKER_TIMETABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "beat/agenda.h"
#include "beat/config.h"

enum {
    TIMETABLE_CATCH_UP_MAX = 1000, /* missed runs that catch_up = "all" makes up for, at a time */
    TIMETABLE_LATE_MS = 5000,      /* catch_up = "none" passes over what is older than that */
    TIMETABLE_TIMING_LEN = 16,
    TIMETABLE_AHEAD_MS = 61000, /* the script takes a last due time for one of the future at 60 s */
};

struct planned {
    struct agenda_item item; /* first: the agenda's is ours */
    UT_hash_handle hh;
    void *owner;           /* the table's */
    struct entry *file;    /* borrowed from the table's config; NULL: not in the file */
    struct entry *runtime; /* ours; NULL: none was added */
    int64_t version;       /* of the one added; 0: none */
    bool known;            /* the state: Redis has one, and this is it */
    bool paused;
    int64_t last_due_ms;
    int64_t runs;
    char state_timing[TIMETABLE_TIMING_LEN + 1]; /* of the file entry that the state is of */
    bool introduced; /* the state was once of our file's timing: another one is another file's */
    bool warned;     /* of that */
    char timing[TIMETABLE_TIMING_LEN + 1]; /* fingerprint of the file entry */
    int64_t due_ms;                        /* what is to be fired next */
    unsigned caught_up;                    /* missed runs made up for, one after the other */
    unsigned read_in;                      /* the last read that it was in */
    bool busy;                             /* a script for it is under way … */
    int64_t sent_us;                       /* … since then (monotonic) */
    bool dropped;                          /* it goes when it is no longer busy */
    char name[];
};

struct timetable {
    struct beat_config config; /* of the file */
    struct zones *zones;       /* of what was added */
    struct planned *all;       /* by name */
    struct agenda agenda;
    unsigned read;
    void *owner;
};

/* 0 or MOIL_ENOMEM. */
int moil_timetable_init(struct timetable *t, void *owner);
void moil_timetable_fini(struct timetable *t);

/* Takes the file's entries anew; empty JSON: there is no file. 0, or a negative code with one line
 * in errstr (then nothing has changed). Plan all afterwards. */
int moil_timetable_set_file(struct timetable *t, struct slice json, char *errstr, size_t errlen);

/* --- what Redis has --------------------------------------------------------------------------- */

/* A read of all entries begins, or is complete: what was added and did not occur is gone. */
void moil_timetable_read_begin(struct timetable *t);
void moil_timetable_read_end(struct timetable *t);

/* One that was added: "VERSION JSON". 0, MOIL_ENOMEM, or MOIL_EINVAL with one line in errstr: the
 * entry is left out until its version changes. */
int moil_timetable_add(struct timetable *t, struct slice name, struct slice text, char *errstr,
                       size_t errlen);

/* The state of the entry of that name, if there is such an entry. Text as in `ticks`; empty: it has
 * none. */
void moil_timetable_set_state(struct timetable *t, struct slice name, struct slice text);

/* --- what is due ------------------------------------------------------------------------------ */

enum tick_action { TICK_FIRE, TICK_LATE, TICK_SEEN, TICK_ANEW, TICK_ACTIONS };

struct tick {
    enum tick_action action;
    int64_t due_ms; /* of fire and late */
    bool final;     /* nothing falls due after it */
};

/* The entry that counts; never NULL for one that is planned. One that was added and cannot be read
 * hides the file's too. */
static inline const struct entry *moil_planned_entry(const struct planned *p)
{
    return p->version ? p->runtime : p->file;
}

/* Says when it is to be looked at next, by what is known of it; busy ones are left out. */
void moil_timetable_plan(struct timetable *t, struct planned *p, int64_t now_ms);
void moil_timetable_plan_all(struct timetable *t, int64_t now_ms);

/* Leaves it out until it is planned again, or until a time. */
void moil_timetable_hold(struct timetable *t, struct planned *p);
void moil_timetable_put_off(struct timetable *t, struct planned *p, int64_t until_ms);

/* Takes the first one whose time has come; NULL: none. */
struct planned *moil_timetable_take(struct timetable *t, int64_t now_ms);

/* What to do about one that was taken. */
struct tick moil_timetable_decide(struct planned *p, int64_t now_ms);

/* Drops it for good where it is in no source any more and not busy. */
void moil_timetable_drop_unused(struct timetable *t, struct planned *p);

/* The latest time due up to `now_ms`, given one that is. */
int64_t moil_entry_latest(const struct entry *e, int64_t due_ms, int64_t now_ms);

/* The state is of another scheduler's file, which has other times for this entry. Either's runs: a
 * state that each began anew would never come to be due. */
bool moil_planned_is_shared(const struct planned *p);

/* How long the run of that due time is put off by the entry's jitter: the same for all schedulers,
 * and less than the time until the next. */
int64_t moil_entry_put_off(const struct entry *e, int64_t due_ms);

#endif
