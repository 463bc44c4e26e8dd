/* A terminal that a program has for itself, full screen, and gives back as it was: keys, its size,
 * and lines of which only those that changed are written (so it is usable over a slow line). Used
 * by `moil top`. There is one at a time. */
#ifndef MOIL_CLI_TERMINAL_H
#define MOIL_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* Keys beside the characters themselves. */
enum terminal_key {
    KEY_NONE = 0, /* nothing was pressed: the time is over, or the size has changed */
    KEY_TAB = '\t',
    KEY_ENTER = '\r',
    KEY_ESCAPE = 27,
    KEY_DELETE = 127,
    KEY_UP = 256,
    KEY_DOWN,
    KEY_PAGE_UP,
    KEY_PAGE_DOWN,
    KEY_HOME,
    KEY_END,
    KEY_BACKTAB,
    KEY_CLOSED, /* a signal asks for the end, or the terminal is gone */
};

/* Standard input and output are terminals. */
bool moil_terminal_is_there(void);

/* Takes the terminal over. 0, or -1 with errno. */
int moil_terminal_begin(void);

/* Gives it back; where a signal asked for the end, one that kills is raised again now. */
void moil_terminal_end(void);

void moil_terminal_size(size_t *rows, size_t *columns);

/* The next key, after so many seconds at most. ^Z stops the program here, and gives the terminal
 * back meanwhile. */
int moil_terminal_wait(double seconds);

/* Shows these lines from the top; none may be wider than the terminal. */
void moil_terminal_draw(struct slice lines);

#endif
