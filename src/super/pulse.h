/* Whether the agent's loop goes on. The agent writes the time into memory that it shares with its
 * supervisor; one that has been silent for long is killed, and then started anew like any that
 * died (super.c). It would cost the node its lease.
 *
 * Where the supervisor itself stood still (a suspended machine, a node that was stopped as a whole,
 * no CPU for long) the agent gets its time anew. */
#ifndef MOIL_SUPER_PULSE_H
#define MOIL_SUPER_PULSE_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/page.h"

struct pulse_watch {
    struct pulse *pulse; /* shared; borrowed by the children */
    int64_t silence_ms;  /* 0: nobody minds */
    int64_t looked_ms;   /* monotonic; the last look … */
    int64_t awake_ms;    /* … and since when they have come without a gap */
};

/* 0 or MOIL_ENOMEM. Close in any case. */
int moil_pulse_open(struct pulse_watch *w, int64_t silence_ms);
void moil_pulse_close(struct pulse_watch *w);

/* Once per turn of the supervisor's loop: for how long an agent that was started then has been
 * silent, where that is too long; else 0. */
int64_t moil_pulse_look(struct pulse_watch *w, int64_t started_ms, int64_t now_ms);

#endif
