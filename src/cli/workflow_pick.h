/* Which of many members or steps a picture of a workflow shows. */
#ifndef MOIL_CLI_WORKFLOW_PICK_H
#define MOIL_CLI_WORKFLOW_PICK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* A walk over a list of sequences or steps; zeroed but for the list, and is_chain. */
struct pick {
    const json_t *list;
    bool is_chain;    /* steps: their last one is shown, and a gap stands where it is */
    size_t at;        /* the next item */
    size_t special;   /* shown although not among the first: failed members, steps under way */
    json_t *left_out; /* {state: how many} since the last item shown; moil_pick_fini drops it */
    size_t left_out_count;
};

/* The next item to show, with what was left out before it; NULL at the end. */
const json_t *moil_pick_next(struct pick *p);

/* Begins to count anew what is left out. */
void moil_pick_forget(struct pick *p);
void moil_pick_fini(struct pick *p);

/* The state of a sequence or node: that of its last node. Never NULL. */
const char *moil_pick_state(const json_t *item);

/* How many are shown whatever their state; up to PICK_ALL all are. */
enum { PICK_FIRST = 5, PICK_ALL = 20, PICK_SPECIAL = 10 };

#endif
