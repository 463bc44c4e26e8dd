/* Beat: fires the entries of this node's beat file, and those that were added at run time. A part
 * of the agent (agent.h).
 *
 *   scheduler.c      waits for the first that is due, and sends its tick
 *   entry_reader.c   what Redis has: the added entries, and how far each has come
 *   entry_tasks.c    whether somebody registers the entries' tasks
 *   timetable.c      which is due when (pure)
 *   redis_clock.c    Redis's clock, which is the one that counts (pure)
 *
 * Any number of schedulers may do this at once: tick.lua compares what a scheduler takes for the
 * last due time with what it is, and enqueues, in one step. A scheduler that knows too little or
 * too much is told so. So nothing here is kept: after each reconnect all is read anew. */
#ifndef MOIL_WORKER_SCHEDULER_H
#define MOIL_WORKER_SCHEDULER_H

#include <ev.h>

#include "worker/agent.h"
#include "worker/redis_clock.h"
#include "worker/timetable.h"

enum { SCHEDULER_TIMEOUT_MS = 10000 };

struct scheduler {
    struct agent *agent;
    struct timetable table;
    struct redis_clock clock;
    ev_periodic due;       /* the first of the agenda */
    ev_prepare watch;      /* for steps of the wall clock, which `due` is kept in */
    int64_t wall_less_us;  /* libev's wall clock less the monotonic one when `due` was set */
    int64_t stamp_us;      /* of the last job made */
    unsigned ticking;      /* scripts under way */
    struct buffer config;  /* the plain data of the config file: routes for entries without a queue
                            */
    struct buffer text;    /* scratch: extra and record */
    int64_t complained_us; /* monotonic; of a tick that Redis refuses */
    /* entry_reader.c's */
    bool ready;      /* all was read at least once since the link came up */
    bool reading;    /* a page is under way … */
    bool again;      /* … and something has changed meanwhile */
    bool first;      /* the page that is asked for is the first */
    bool states;     /* the pages are of states, after those of the added entries */
    int64_t version; /* of the added entries, as the last read found them at first */
    int64_t sent_us; /* monotonic; the page */
    int64_t began_us;
    ev_timer later; /* the next read, not too soon after the last */
    char cursor[24];
    ev_timer look; /* entry_tasks.c's */
};

/* Monotonic and Redis's time, in µs and ms. */
int64_t moil_scheduler_now_us(const struct scheduler *s);
int64_t moil_scheduler_now_ms(const struct scheduler *s);

/* For the reader: it has read all; a reply told Redis's time. */
void moil_scheduler_read(struct scheduler *s);
void moil_scheduler_hear_clock(struct scheduler *s, int64_t sent_us, int64_t redis_us);

/* For the scheduler: reads all entries, once the read under way is over. */
void moil_entry_reader_start(struct scheduler *s); /* also after each reconnect */
void moil_entry_reader_want(struct scheduler *s);
void moil_entry_reader_stop(struct scheduler *s);

/* Some seconds from now, warns of entries of the file whose task no node registers. For nodes that
 * load no tasks themselves: elsewhere the check has looked. */
void moil_entry_tasks_look_later(struct scheduler *s);
void moil_entry_tasks_stop(struct scheduler *s);

#endif
