/* `moil top`: what is going on, again and again.
 *
 *   cmd_top.c     the loop: looks, draws, obeys keys
 *   top_look.c    asks the library, and makes rows with rates of what it says
 *   top_frame.c   the rows as lines of a screen */
#ifndef MOIL_CLI_TOP_H
#define MOIL_CLI_TOP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/moil.h"
#include "base/buffer.h"
#include "cli/command.h"

enum top_pane { PANE_QUEUES, PANE_WORKERS, PANE_JOBS, PANES };

enum top_mode {
    MODE_LOOK,
    MODE_CONFIRM, /* whether a job is to be revoked */
    MODE_FILTER,  /* typing */
    MODE_HELP,
};

enum { TOP_FILTER_MAX = 60, TOP_NAME_LEN = 240 };

struct top {
    moil_client *client;
    const struct options *options;
    json_t *rows[PANES]; /* of the last look that succeeded; NULL: there was none */
    json_t *totals;
    double now;      /* Redis's clock at it */
    int64_t seen_us; /* the monotonic clock at it; 0: there was none */
    json_t *before;  /* counters by name as they were, and when: {"at", "queue NAME": [in, out]} */
    char trouble[512]; /* why the last look failed; "": it did not */
    char message[300]; /* what a key has done */
    char filter[TOP_FILTER_MAX + 1];
    enum top_mode mode;
    enum top_pane pane;
    size_t selected[PANES], first[PANES]; /* rows of those that the filter leaves */
    char chosen[PANES][TOP_NAME_LEN];     /* whose row the selected one is; "": nobody's yet */
    char target[201];                     /* the job that MODE_CONFIRM is about */
};

/* A look at everything; what it failed with stands in `trouble`, and the rows stay. */
void moil_top_look(struct top *t);

/* The rows that the filter leaves; the caller drops the reference. */
json_t *moil_top_rows(const struct top *t, enum top_pane pane);

/* Selects one of the rows that the filter leaves; past the last one: that. */
void moil_top_select(struct top *t, enum top_pane pane, const json_t *rows, size_t row);

/* Rows come and go: goes to where the queue, worker or job of the selected row stands now. */
void moil_top_follow(struct top *t, enum top_pane pane, const json_t *rows);

/* The whole screen, rows lines of at most so many columns. Keeps `selected` in bounds. */
void moil_top_frame(struct top *t, size_t rows, size_t columns, struct buffer *out);

/* All rows of all panes, one table below the other, for a file; without a selection. */
void moil_top_print(struct top *t, struct buffer *out);

/* The same as one JSON object. The caller drops the reference. */
json_t *moil_top_json(const struct top *t);

#endif
