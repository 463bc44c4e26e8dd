/* What the supervisor says to the agent, one line each (super/child.h writes it): of a worker that
 * died, of a generation that serves, and what came of an order, and that the
 * node has changed. Pure; used by recoverer.c. */
#ifndef MOIL_WORKER_WORD_H
#define MOIL_WORKER_WORD_H

#include <stdbool.h>

#include "base/id.h"
#include "base/job.h"

enum word_kind { WORD_DEAD, WORD_GENERATION, WORD_ANSWER, WORD_REPORT };

struct word {
    enum word_kind kind;
    int generation; /* serves from now on */
    /* answer */
    char request[MOIL_ID_LEN + 1];
    bool is_ok;
    const char *text; /* in the line; never NULL */
    /* dead */
    int slot;
    int number;         /* the signal, or the exit code */
    int deliveries_max; /* that the task of that job allows; 0: not said */
    char incarnation[MOIL_ID_LEN + 1];
    char how[8]; /* signal, exit, limit or stop */
    char on_cpu[MOIL_NAME_MAX + 1];
};

/* "dead SLOT INCARNATION signal|exit|limit|stop NUMBER DELIVERIES ID", "generation NUMBER",
 * "answer REQUEST ok|refused TEXT" or "report" (the node's is to be renewed), without its newline.
 * 0, or MOIL_EBADMSG (then *out is untouched). */
int moil_word_parse(const char *line, struct word *out);

#endif
