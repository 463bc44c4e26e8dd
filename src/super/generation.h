/* Generations: the workers that were started from one snapshot. One serves; a reload makes another,
 * and when all its workers are ready it takes over, and the one before drains (ARCHITECTURE 6).
 *
 *   check    the check child loads everything and fills the snapshot; it fails: nothing changes
 *   start    the workers are forked, in free slots; the others serve meanwhile
 *   serve    all of them are ready: the supervisor, TTIN, TTOU and restarts mean these from now on
 *   drain    they take nothing new, finish what runs, and leave; a dead one is not replaced
 *
 * The first generation takes the same way, but serves as soon as its check has passed, since there
 * is no other; phase.c waits for its workers then. One check or start at a time: a reload that is
 * asked for meanwhile, or while DRAINING_MAX generations drain, is remembered, once.
 *
 * Called by phase.c, death.c and super.c. Knows no Lua: a snapshot is a file to it. */
#ifndef MOIL_SUPER_GENERATION_H
#define MOIL_SUPER_GENERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "super/super.h"

struct super;
struct child;

enum generation_state {
    GENERATION_NONE,
    GENERATION_CHECKING,
    GENERATION_STARTING,
    GENERATION_SERVING,
    GENERATION_DRAINING,
    GENERATION_STATES
};

enum {
    DRAINING_MAX = SUPER_GENERATIONS_MAX - 2,
    GENERATION_READY_MS = 60000, /* for all workers of a reload; Redis may be slow or away */
};

struct generation {
    enum generation_state state;
    int number;      /* from 1; a check that failed has used none up */
    int snapshot_fd; /* -1 when it drains: its workers are not started again */
    struct plan plan;
    int64_t due_ms; /* starting: when it is given up */
};

struct generations {
    struct generation all[SUPER_GENERATIONS_MAX];
    int last;              /* the highest number that was used */
    bool wanted;           /* a reload was asked for and has not begun */
    bool waits;            /* … as too many generations drain; logged once */
    int64_t not_before_ms; /* … as the check child could not be forked; 0: at once */
    struct buffer result;  /* of the check child */
};

void moil_generations_init(struct generations *g);
void moil_generations_fini(struct generations *g);

/* The one in that state (of draining ones, any), or NULL. */
struct generation *moil_generation_in(struct generations *g, enum generation_state state);

/* One is checked or started, to take over. */
bool moil_generation_is_reloading(const struct generations *g);

/* By its number; NULL: it is gone. */
struct generation *moil_generation_find(struct generations *g, int number);

/* The paths to watch that the check child named (super.h). */
struct slice moil_generations_paths(const struct generations *g);

/* Forks the check child. False (and logged) when it cannot. */
bool moil_generation_check(struct super *s);

/* The check child has passed: seals the snapshot and forks the workers. */
void moil_generation_start(struct super *s);

/* The check child failed, or one of the workers did before it was ready, and why: the serving
 * generation goes on. */
void moil_generation_give_up(struct super *s, const char *why);

/* A reload is wanted: begins it now, or as soon as possible. */
void moil_generation_want(struct super *s);

/* Draws conclusions in PHASE_RUNNING: all are ready, one has drained, the next reload may begin. */
void moil_generation_settle(struct super *s);

/* When that has something to look at again; 0: nothing is due. */
int64_t moil_generation_due_ms(struct generations *g);

/* Starts a child; a failing fork counts as a death of it. */
void moil_generation_start_child(struct super *s, struct child *child);

/* Forks another worker of a generation; NULL when there are SUPER_WORKERS_MAX. */
struct child *moil_generation_add_worker(struct super *s, const struct generation *generation);

/* Workers of a generation that are there and were not told to leave. */
int moil_generation_count(const struct super *s, int number);

#endif
