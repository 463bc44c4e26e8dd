/* What a program asks of the beat entries (vm/host.h's struct vm_beat), as a script's arguments,
 * and the script's reply as JSON text: the same for a job (host_beat.c) and for clients
 * (api/beat.c).
 *
 * Entries are checked here, before they go to Redis; whether one has a due time to come Redis says,
 * by its clock. Pure but for the clock from which VM_BEAT_NEXT goes on when nothing is said. */
#ifndef MOIL_WORKER_BEAT_REQUEST_H
#define MOIL_WORKER_BEAT_REQUEST_H

#include "base/buffer.h"
#include "base/job.h"
#include "net/args.h"
#include "net/reply.h"
#include "queue/scripts.h"
#include "vm/host.h"

enum {
    MOIL_BEAT_ENTRY_MAX = 64 * 1024, /* bytes of an entry: a page of them stays a few MB */
    MOIL_BEAT_RUNS_MAX = 10000,      /* that are worked out at once */
};

struct beat_request {
    struct vm_beat ask; /* its slices are borrowed */
    char name[MOIL_NAME_MAX + 1];
    struct buffer entry; /* put: as it is stored */
    const char *paused;  /* put: "1", "0", or "-": not said */
    char since[24];      /* put: ms since the epoch, or "-": now */
    char last[24];       /* put: when it is due for the last time, likewise; "-": it goes on */
    struct buffer when;  /* put: its timing, for people */
};

/* 0, or MOIL_EINVAL, MOIL_ETOOLARGE or MOIL_ENOMEM with one line in errstr. Fini it in any case. */
int moil_beat_request_init(struct beat_request *r, const struct vm_beat *ask, char *errstr,
                           size_t errlen);
void moil_beat_request_fini(struct beat_request *r);

/* Of all but VM_BEAT_NEXT. Adds to the arguments. */
enum script_id moil_beat_request_script(const struct beat_request *r);
void moil_beat_request_args(const struct beat_request *r, struct args *a);

/* Appends what the reply says:
 *   put      {"outcome": "added" | "changed" | "same" | "clash" | "full" | "past", "version",
 *            "when": its timing}; past: it is not due from now on
 *   remove   1, 0: no such entry, 2: it is one of a file
 *   pause    1, 0: no such entry, 2: it was so already
 *   list     {"cursor", "now", "entries": [{"name", "source": "run time" | "file", "task", "when",
 *            "next_at", "runs", "last_due_at", "last_id", "paused", "first_at", "version",
 *            "entry": {…}}]}; times in seconds since the epoch
 *   history  [{"name", "due_at", "fired_at", "outcome", "id"}], the newest first
 * 0, or MOIL_EBADMSG, MOIL_ENOMEM. */
int moil_beat_request_answer(const struct beat_request *r, const struct reply *reply,
                             struct buffer *out);

/* VM_BEAT_NEXT, which needs no Redis: appends an array of the next due times, in seconds since the
 * epoch. 0, or as init. */
int moil_beat_request_next(const struct beat_request *r, struct buffer *out, char *errstr,
                           size_t errlen);

#endif
