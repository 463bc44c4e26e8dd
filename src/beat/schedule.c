/* schedule.c: see schedule.h. */
#include "beat/schedule.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "beat/calendar.h"
#include "conf/instant.h"

static int64_t to_ms(int64_t seconds)
{
    return seconds < CALENDAR_END_S ? seconds * 1000 : MOIL_NEVER;
}

/* The interval counts in microseconds, as a third of a second is no number of milliseconds; each
 * multiple is due in the millisecond that it lies in. */
static int64_t next_every(const struct schedule *s, int64_t after_ms)
{
    int64_t base_ms = s->start_ms > 0 ? s->start_ms : 0;
    int64_t from_us = (after_ms + 1 - base_ms) * 1000;
    int64_t k = from_us > 0 ? (from_us + s->every_us - 1) / s->every_us : 0;
    return base_ms + k * s->every_us / 1000;
}

static int64_t next_cron(const struct schedule *s, int64_t after_s)
{
    int64_t reached = moil_zone_reached(s->zone, after_s);
    int64_t local = moil_cron_next(&s->cron, reached);
    return local == INT64_MAX ? local : moil_zone_first(s->zone, local);
}

static int64_t next_unbounded(const struct schedule *s, int64_t after_ms)
{
    int64_t after_s = moil_floor_div(after_ms, 1000);
    switch (s->kind) {
    case SCHEDULE_EVERY:
        return next_every(s, after_ms);
    case SCHEDULE_CRON:
        return to_ms(next_cron(s, after_s));
    case SCHEDULE_SOLAR:
        return to_ms(moil_solar_next(&s->solar, after_s));
    case SCHEDULE_AT:
        break;
    }
    return s->at_ms > after_ms ? s->at_ms : MOIL_NEVER;
}

int64_t moil_schedule_next(const struct schedule *s, int64_t after_ms)
{
    if (after_ms < -1)
        after_ms = -1;
    if (s->start_ms > 0 && after_ms < s->start_ms - 1)
        after_ms = s->start_ms - 1;
    if (after_ms >= s->stop_ms || after_ms >= CALENDAR_END_S * 1000)
        return MOIL_NEVER;
    int64_t due = next_unbounded(s, after_ms);
    return due <= s->stop_ms && due < CALENDAR_END_S * 1000 ? due : MOIL_NEVER;
}

/* Local, with Z put behind it, as the parser of instants wants an offset. */
static bool parse_local(const char *text, double *out)
{
    static const char *const endings[] = {"Z", "T00:00Z"};
    char whole[64];
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (snprintf(whole, sizeof whole, "%s%s", text, endings[i]) < (int)sizeof whole &&
            moil_instant_parse(whole, out) == 0)
            return true;
    return false;
}

int moil_schedule_instant(const struct zone *z, const char *text, int64_t *out_ms)
{
    double seconds;
    if (moil_instant_parse(text, &seconds) == 0) {
        *out_ms = (int64_t)(seconds * 1000 + 0.5);
        return 0;
    }
    if (strlen(text) < strlen("2030-01-01") || !parse_local(text, &seconds))
        return MOIL_EINVAL;
    int64_t whole = (int64_t)seconds;
    *out_ms = moil_zone_first(z, whole) * 1000 + (int64_t)((seconds - (double)whole) * 1000 + 0.5);
    return 0;
}
