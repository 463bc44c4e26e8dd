/* One cell of a table: a JSON value as people read it, and what colour it is shown in. */
#ifndef MOIL_CLI_CELL_H
#define MOIL_CLI_CELL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/slice.h"

enum cell_kind {
    CELL_TEXT,        /* strings as they are, other values as JSON */
    CELL_NUMBER,      /* to the right */
    CELL_RATE,        /* a number a second, to the right: "1234", "0.5" */
    CELL_BYTES,       /* "12 MB", to the right */
    CELL_RELATIVE,    /* seconds since the epoch: "42s ago" */
    CELL_AGE,         /* the same, how long ago: "42s" */
    CELL_SECONDS,     /* a duration: "5m 03s" */
    CELL_LIST,        /* strings with commas */
    CELL_COUNT,       /* how many elements a list has */
    CELL_GENERATIONS, /* of a list of workers, the newest first: "4", or "4 (2), 3 (1)", where there
                         are several, with how many workers each has */
    CELL_YES,         /* "yes" for true, else "no" */
    CELL_ALIVE,       /* the same; no is bad */
    CELL_PAUSED,      /* the same; yes is worth a look */
    CELL_SERVED,      /* a number, to the right; 0 is worth a look */
    CELL_STATE,       /* a job's state */
    CELL_HEALTH,      /* "ok", "degraded", "stuck"; "warn", "bad" */
    CELL_LIMIT,       /* seconds: "5 s", or "none" for false */
    CELL_ERROR,       /* an error object: its message, or its code */
};

/* The text, with control characters made harmless; nothing where there is no value. `now`: what
 * CELL_RELATIVE and CELL_AGE are seen from. */
void moil_cell_add(struct buffer *out, enum cell_kind kind, const json_t *v, double now);

bool moil_cell_is_right(enum cell_kind kind);

/* The escape sequence that begins its colour; "" for most cells. */
const char *moil_cell_colour(enum cell_kind kind, struct slice text);

#endif
