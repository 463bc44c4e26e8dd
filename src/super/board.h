/* The board: the memory that the supervisor shares with all its children. Mapped once, before the
 * first fork.
 *
 *   slots    how many worker slots were used so far, and a page for each (worker/page.h)
 *   plan     what the check child tells the supervisor (super.h)
 *   report   what the check child of the serving generation said, for the agent: bytes that mean
 *            nothing here
 *
 * Called by child.c and generation.c; children see it through child_context. */
#ifndef MOIL_SUPER_BOARD_H
#define MOIL_SUPER_BOARD_H

#include "base/buffer.h"
#include "super/super.h"

struct board;

/* NULL when out of memory. */
struct board *moil_board_new(void);
void moil_board_free(struct board *b);

int moil_board_slots(const struct board *b);
void moil_board_use_slot(struct board *b, int slot);
struct page *moil_board_page(struct board *b, int slot);
struct plan *moil_board_plan(struct board *b);

/* The supervisor's: at most SUPER_RESULT_MAX bytes. */
void moil_board_publish(struct board *b, struct slice report, int generation);

/* A child's: replaces *out when there is a report of another generation than *generation, and then
 * returns true. False also while one is being published: ask again later. */
bool moil_board_read(struct board *b, struct buffer *out, int *generation);

#endif
