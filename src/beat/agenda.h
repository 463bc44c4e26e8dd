/* What comes next of many: a binary heap by time, for entries that know their place in it.
 *
 * Used by the scheduler (worker/) and by upcoming.c. Pure; a time is whatever number its caller
 * orders by. */
#ifndef MOIL_BEAT_AGENDA_H
#define MOIL_BEAT_AGENDA_H

#include <stddef.h>
#include <stdint.h>

/* A part of what is to be ordered; all zero: it stands nowhere. */
struct agenda_item {
    int64_t at;
    int64_t order; /* the caller's: of two at the same time, the smaller one is first */
    size_t place;  /* 1 …; 0: in no agenda */
};

struct agenda {
    struct agenda_item **items;
    size_t count, room;
};

void moil_agenda_init(struct agenda *a);
void moil_agenda_fini(struct agenda *a); /* the items are the caller's */

/* Makes room for so many items in all. 0 or MOIL_ENOMEM. */
int moil_agenda_reserve(struct agenda *a, size_t count);

/* Puts an item in, or moves it. There must be room. O(log n). */
void moil_agenda_put(struct agenda *a, struct agenda_item *item, int64_t at);

/* Takes an item out, where it is in. O(log n). */
void moil_agenda_take(struct agenda *a, struct agenda_item *item);

/* The earliest; NULL: there is none. */
static inline struct agenda_item *moil_agenda_first(const struct agenda *a)
{
    return a->count ? a->items[0] : NULL;
}

#endif
