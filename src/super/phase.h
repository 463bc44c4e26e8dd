/* The life of the supervisor as a table: phase x event -> action, next phase.
 *
 * super.c has the loop that makes events out of signals, deaths and bytes; phase.c what follows
 * from them. */
#ifndef MOIL_SUPER_PHASE_H
#define MOIL_SUPER_PHASE_H

#include <stdbool.h>
#include <stdint.h>

#include "super/child.h"
#include "super/embedded.h"
#include "super/generation.h"
#include "super/notify.h"
#include "super/order.h"
#include "super/pulse.h"
#include "super/signals.h"
#include "super/watch.h"

enum phase {
    PHASE_SERVER,   /* the embedded server comes up */
    PHASE_CHECK,    /* the first check child loads everything */
    PHASE_STARTING, /* agent and workers are forked, not all are ready */
    PHASE_RUNNING,
    PHASE_WARM,        /* workers finish what they run */
    PHASE_COLD,        /* workers give their jobs back */
    PHASE_AGENT,       /* workers are gone, the agent leaves */
    PHASE_SERVER_STOP, /* our embedded server leaves */
    PHASE_DONE,
    PHASES
};

enum event {
    EVENT_NONE,
    EVENT_SERVER_UP,
    EVENT_CHECKED,  /* the check child has passed, at the start or of a reload */
    EVENT_READY,    /* everyone is */
    EVENT_FATAL,    /* there is no use in going on: `status` says with what to exit */
    EVENT_STOP,     /* TERM, INT */
    EVENT_STOP_NOW, /* QUIT */
    EVENT_RELOAD,   /* HUP, or a watched file has changed */
    EVENT_QUIET,    /* TSTP */
    EVENT_RESUME,   /* CONT */
    EVENT_MORE,     /* TTIN */
    EVENT_LESS,     /* TTOU */
    EVENT_WORKERS_GONE,
    EVENT_AGENT_GONE,
    EVENT_SERVER_GONE,
    EVENTS
};

/* Exit statuses (CONTRACT). */
enum { STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_NO_REDIS = 3, STATUS_CHECK = 6 };

struct super {
    const struct super_options *options;
    enum phase phase;
    int status; /* what the program will exit with */
    bool quiet; /* workers take nothing new; those that become ready later are told too */
    bool has_terminal;
    int pidfile_fd; /* -1: none */
    int64_t now_ms; /* monotonic, of this turn of the loop */
    struct signals signals;
    struct embedded embedded; /* unused when options->embedded_dir is NULL */
    struct generations generations;
    struct orders orders;
    struct pulse_watch pulse; /* of the agent */
    struct notify notify;     /* systemd */
    struct watch watch;       /* of the scripts */
    struct children children;
};

/* Acts on an event as the table says; one that means nothing in this phase is dropped. */
void moil_phase_event(struct super *s, enum event event);

/* False where it would be dropped. */
bool moil_phase_takes(const struct super *s, enum event event);

/* A child has become ready. */
void moil_phase_ready(struct super *s, struct child *child);

/* EVENT_FATAL with an exit status. */
void moil_phase_fail(struct super *s, int status);

/* Draws the conclusions: what everybody's state means for the phase, as often as it changes. */
void moil_phase_settle(struct super *s);

/* True when the phase wants such a child to be there. */
bool moil_phase_wants(const struct super *s, enum role role);

/* For death.c: reads what a child has written to its ready pipe (super.c). */
void moil_super_read(struct super *s, struct child *child);

const char *moil_phase_name(enum phase phase);

#endif
