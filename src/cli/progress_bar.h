/* One line on stderr that tells a person who waits how far it is: a bar where the end is known,
 * else a mark that turns. Nothing is written where stderr is no terminal, nor in the first half
 * second; the line is gone afterwards. */
#ifndef MOIL_CLI_PROGRESS_BAR_H
#define MOIL_CLI_PROGRESS_BAR_H

#include <stdbool.h>
#include <stdint.h>

struct progress_bar {
    bool wanted;
    bool is_shown;
    unsigned turn;      /* of the mark */
    int64_t started_us; /* monotonic */
    int64_t written_us;
};

/* wanted: false where the command was told to be quiet or prints JSON. */
void moil_progress_bar_init(struct progress_bar *bar, bool wanted);

/* Draws it, at most ten times a second: `done` of `total`, or, where total is 0, the mark. `text`
 * is shown behind it, as far as there is room. */
void moil_progress_bar_draw(struct progress_bar *bar, double done, double total, const char *text);

/* Takes the line away, so that something else can be written. */
void moil_progress_bar_clear(struct progress_bar *bar);

#endif
