/* Watching the files that the last check named (--watch): tells when a reload is due, once they
 * have been still for a moment. By inotify on folders, so that an editor that renames over a file
 * is seen like one that writes it.
 *
 *   a folder  all *.lua in it and below, also those that come later; what is hidden is passed over
 *   a file    that name in its folder, whatever becomes of it
 *
 * Called by super.c and death.c. Without moil_watch_open nothing happens. */
#ifndef MOIL_SUPER_WATCH_H
#define MOIL_SUPER_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum {
    WATCH_STILL_MS = 100, /* an editor writes several files, or one in several steps … */
    WATCH_WAIT_MS = 1000, /* … but something that is always written must not put it off for ever */
    WATCH_FOLDERS_MAX = 1024,
    WATCH_NAMES_MAX = 16384, /* of single files */
    WATCH_DEPTH_MAX = 32,
};

struct watch_folder;

struct watch {
    int fd; /* of inotify; -1: nothing is watched */
    struct watch_folder *folders;
    int folder_count, name_count;
    int round;         /* counts updates: what the last one did not name is dropped */
    bool told;         /* that not everything can be watched */
    int64_t first_ms;  /* monotonic; of the changes since the last reload, 0: none */
    int64_t last_ms;   /* likewise */
    char changed[200]; /* the first of them, for the log */
};

/* Logs why nothing can be watched, and goes on without. Close in any case. */
void moil_watch_init(struct watch *w);
void moil_watch_open(struct watch *w);
void moil_watch_close(struct watch *w);

/* The paths of a check (super.h). `whole`: it has passed, and all others are forgotten. */
void moil_watch_update(struct watch *w, struct slice paths, bool whole);

/* Reads what has happened. */
void moil_watch_read(struct watch *w, int64_t now_ms);

/* When a reload is due (monotonic); 0: nothing has changed. */
int64_t moil_watch_due_ms(const struct watch *w);

/* It was begun: the changes so far are in it. */
void moil_watch_begin(struct watch *w);

#endif
