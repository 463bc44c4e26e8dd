/* agenda.c: see agenda.h. The children of place n are 2n and 2n + 1. */
#include "beat/agenda.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"

enum { ROOM_MIN = 16 };

void moil_agenda_init(struct agenda *a)
{
    *a = (struct agenda){0};
}

void moil_agenda_fini(struct agenda *a)
{
    for (size_t i = 0; i < a->count; i++)
        a->items[i]->place = 0;
    moil_mem_free(a->items);
    *a = (struct agenda){0};
}

int moil_agenda_reserve(struct agenda *a, size_t count)
{
    if (count <= a->room)
        return 0;
    size_t room = a->room ? a->room : ROOM_MIN;
    while (room < count)
        room *= 2;
    void *grown = moil_mem_realloc(a->items, room * sizeof *a->items);
    if (!grown)
        return MOIL_ENOMEM;
    a->items = grown;
    a->room = room;
    return 0;
}

static bool is_before(const struct agenda_item *a, const struct agenda_item *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void set(struct agenda *a, size_t place, struct agenda_item *item)
{
    a->items[place - 1] = item;
    item->place = place;
}

static void rise(struct agenda *a, struct agenda_item *item)
{
    size_t place = item->place;
    while (place > 1 && is_before(item, a->items[place / 2 - 1])) {
        set(a, place, a->items[place / 2 - 1]);
        place /= 2;
    }
    set(a, place, item);
}

static void sink(struct agenda *a, struct agenda_item *item)
{
    size_t place = item->place, child;
    while ((child = place * 2) <= a->count) {
        if (child < a->count && is_before(a->items[child], a->items[child - 1]))
            child++;
        if (!is_before(a->items[child - 1], item))
            break;
        set(a, place, a->items[child - 1]);
        place = child;
    }
    set(a, place, item);
}

void moil_agenda_put(struct agenda *a, struct agenda_item *item, int64_t at)
{
    item->at = at;
    if (item->place == 0) {
        assert(a->count < a->room);
        set(a, ++a->count, item);
    }
    rise(a, item);
    sink(a, item);
}

void moil_agenda_take(struct agenda *a, struct agenda_item *item)
{
    size_t place = item->place;
    if (place == 0)
        return;
    struct agenda_item *last = a->items[--a->count];
    item->place = 0;
    if (last == item)
        return;
    set(a, place, last);
    rise(a, last);
    sink(a, last);
}
