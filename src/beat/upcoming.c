/* upcoming.c: see upcoming.h. */
#include "beat/upcoming.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "beat/agenda.h"
#include "beat/calendar.h"

struct source {
    struct agenda_item item; /* first: the agenda's is ours */
    const struct entry *entry;
    int64_t left; /* runs by max_runs */
};

static void put_next(struct agenda *a, struct source *s, int64_t after_ms)
{
    int64_t due_ms = s->left > 0 ? moil_entry_next(s->entry, after_ms) : MOIL_NEVER;
    if (due_ms == MOIL_NEVER)
        moil_agenda_take(a, &s->item);
    else
        moil_agenda_put(a, &s->item, due_ms);
}

int moil_upcoming(struct entry *const *entries, size_t count, int64_t after_ms, size_t n,
                  upcoming_cb *fn, void *data)
{
    struct agenda agenda;
    struct source *sources = moil_mem_zalloc(count + 1, sizeof *sources);
    moil_agenda_init(&agenda);
    int err = sources ? moil_agenda_reserve(&agenda, count) : MOIL_ENOMEM;
    for (size_t i = 0; !err && i < count; i++) {
        const struct entry *e = entries[i];
        sources[i] = (struct source){.entry = e, .left = e->max_runs ? e->max_runs : INT64_MAX};
        sources[i].item.order = (int64_t)i;
        if (!e->paused)
            put_next(&agenda, &sources[i], after_ms);
    }
    struct source *s;
    while (!err && n-- > 0 && (s = (struct source *)moil_agenda_first(&agenda))) {
        fn(data, s->entry, s->item.at);
        s->left--;
        put_next(&agenda, s, s->item.at);
    }
    moil_agenda_fini(&agenda);
    moil_mem_free(sources);
    return err;
}

const char *moil_upcoming_local(const struct zone *z, int64_t due_ms, char out[UPCOMING_LOCAL_MAX])
{
    int64_t instant = moil_floor_div(due_ms, 1000);
    int ms = (int)(due_ms - instant * 1000);
    int offset = moil_zone_span(z, instant).offset;
    int64_t local = instant + offset, days = moil_floor_div(local, DAY_S);
    struct date d = moil_date_of(days);
    int second = (int)(local - days * DAY_S), east = offset < 0 ? -offset : offset;
    char fraction[8] = "", rest[8] = "";
    if (ms)
        snprintf(fraction, sizeof fraction, ".%03d", ms);
    if (east % 60)
        snprintf(rest, sizeof rest, ":%02d", east % 60);
    snprintf(out, UPCOMING_LOCAL_MAX, "%04d-%02d-%02dT%02d:%02d:%02d%s%c%02d:%02d%s", d.year,
             d.month, d.day, second / 3600, second / 60 % 60, second % 60, fraction,
             offset < 0 ? '-' : '+', east / 3600 % 100, east / 60 % 60, rest);
    return out;
}
