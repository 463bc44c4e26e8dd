/* Dates of the Gregorian calendar as days since 1970-01-01, and back.
 *
 * Pure arithmetic for zone.c, cron.c and schedule.c. Knows no time zones: a "local second" here is
 * a wall clock's reading counted as if it were UTC. */
#ifndef MOIL_BEAT_CALENDAR_H
#define MOIL_BEAT_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

enum { DAY_S = 86400 };

/* The first second after the year 9999: nothing is due from there on. */
#define CALENDAR_END_S INT64_C(253402300800)

struct date {
    int year;
    int month; /* 1 to 12 */
    int day;   /* 1 to 31 */
};

static inline bool moil_year_is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int moil_month_days(int year, int month);

/* Days since 1970-01-01; any year from 0 on. */
int64_t moil_days_of(int year, int month, int day);
struct date moil_date_of(int64_t days);

/* 0 is Sunday. */
static inline int moil_weekday_of(int64_t days)
{
    int weekday = (int)((days + 4) % 7);
    return weekday < 0 ? weekday + 7 : weekday;
}

/* Rounds towards the past, as / does not. */
static inline int64_t moil_floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

#endif
