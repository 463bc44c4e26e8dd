/* Cron expressions: parsed once into bit sets, then the next match of any local time.
 *
 * Five fields (minute hour day-of-month month day-of-week) or six with seconds first, or @daily
 * and its like. Each field is a list of *, N, A-B (which may wrap round: FRI-MON), each with /STEP
 * (N/STEP runs to the field's end); names for months and weekdays (0 and 7 are Sunday); `?` is * in
 * the two day fields. Day of month knows L (the last), L-N (N days before it), NW (the working day
 * nearest to the Nth in that month) and LW; day of week D#N (the Nth) and DL or LD (the last one).
 * Where both day fields are restricted, either suffices; a field that begins with * (or ?) is not a
 * restriction, with a step neither (Vixie's rule): then both must match.
 *
 * Pure. Used by schedule.c. Knows no zones: its times are local seconds (beat/zone.h). */
#ifndef MOIL_BEAT_CRON_H
#define MOIL_BEAT_CRON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CRON_TEXT_MAX = 500 };

struct cron {
    uint64_t seconds, minutes; /* bit n: the nth is in it */
    uint32_t hours, months;
    uint32_t days;             /* of the month, bits 1 to 31 */
    uint32_t workdays;         /* NW, bits 1 to 31 */
    uint32_t before_last;      /* bit n: n days before the last; bit 0 is L */
    bool last_workday;         /* LW */
    uint8_t weekdays;          /* bit 0 is Sunday */
    uint8_t nth[6];            /* [n], n from 1: the weekdays of which the nth is in it */
    uint8_t last;              /* the weekdays of which the month's last is in it */
    bool any_day, any_weekday; /* the field begins with * */
};

/* 0, or MOIL_EINVAL with a sentence in errstr that names the field and the value ("minute: 61 is
 * out of range 0-59"), also for what can never match ("0 0 30 2 *"). */
int moil_cron_parse(const char *text, struct cron *out, char *errstr, size_t errlen);

/* The first match after a local second; INT64_MAX past the year 9999. At most 8 years of months
 * are looked at for usual expressions, 400 (when the calendar repeats) for any. */
int64_t moil_cron_next(const struct cron *c, int64_t local);

#endif
