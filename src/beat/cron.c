/* The next match of a cron expression; cron_parse.c makes it from text. */
#include "beat/cron.h"

#include "beat/calendar.h"

enum {
    MONTHS_MAX = 400 * 12 + 1, /* then the calendar repeats */
    YEAR_MAX = 9999,
};

/* 0001-01-01T00:00:00: whatever is earlier has the same next match. */
#define FIRST_S INT64_C(-62135596800)

/* The lowest member from `from` on; -1: none. */
static int next_bit(uint64_t set, int from)
{
    uint64_t rest = from < 64 ? set >> from << from : 0;
    return rest ? __builtin_ctzll(rest) : -1;
}

/* --- the days of a month, bits 1 to 31 ----------------------------------------------------------
 */

struct month {
    int days;
    int weekday; /* of the 1st */
};

/* Weekdays, bit 0 for Sunday, turned so that bit 0 is the weekday of the 1st. */
static uint32_t turn(uint32_t weekdays, int first)
{
    return (weekdays >> first | weekdays << (7 - first)) & 0x7f;
}

static uint32_t every_week(uint32_t week)
{
    return (uint32_t)(((uint64_t)week * 0x10204081) << 1); /* once each seven bits, from day 1 on */
}

static uint32_t days_of_weekdays(const struct cron *c, struct month m)
{
    uint32_t found = every_week(turn(c->weekdays, m.weekday));
    for (int n = 1; n <= 5; n++)
        found |= (uint32_t)((uint64_t)turn(c->nth[n], m.weekday) << (7 * (n - 1) + 1));
    uint32_t last_week = UINT32_C(0x7f) << (m.days - 6);
    return found | (every_week(turn(c->last, m.weekday)) & last_week);
}

/* The working day (Monday to Friday) nearest to a day, within its month. */
static int nearest_workday(int day, struct month m)
{
    switch ((m.weekday + day - 1) % 7) {
    case 6:
        return day > 1 ? day - 1 : day + 2;
    case 0:
        return day < m.days ? day + 1 : day - 2;
    default:
        return day;
    }
}

static uint32_t days_of_month(const struct cron *c, struct month m)
{
    uint32_t found = c->days;
    for (int n = next_bit(c->before_last, 0); n >= 0 && n < m.days;
         n = next_bit(c->before_last, n + 1))
        found |= UINT32_C(1) << (m.days - n);
    for (int day = next_bit(c->workdays, 1); day > 0 && day <= m.days;
         day = next_bit(c->workdays, day + 1))
        found |= UINT32_C(1) << nearest_workday(day, m);
    if (c->last_workday) {
        int weekday = (m.weekday + m.days - 1) % 7;
        int back = weekday == 6 ? 1 : weekday == 0 ? 2 : 0;
        found |= UINT32_C(1) << (m.days - back);
    }
    return found;
}

static uint32_t days_in(const struct cron *c, struct month m)
{
    uint32_t by_month = days_of_month(c, m), by_week = days_of_weekdays(c, m);
    uint32_t found = c->any_day || c->any_weekday ? by_month & by_week : by_month | by_week;
    return found & (uint32_t)((UINT64_C(2) << m.days) - 2);
}

/* --- the next match ----------------------------------------------------------------------------
 */

/* The first match of a day from a second of it on; -1: none. */
static int next_in_day(const struct cron *c, int from)
{
    int hour = from / 3600, minute = from / 60 % 60, second = from % 60;
    int found = -1;
    if (c->hours >> hour & 1 && c->minutes >> minute & 1)
        found = next_bit(c->seconds, second);
    if (found >= 0)
        return hour * 3600 + minute * 60 + found;
    if (c->hours >> hour & 1)
        found = next_bit(c->minutes, minute + 1);
    if (found >= 0)
        return hour * 3600 + found * 60 + next_bit(c->seconds, 0);
    found = next_bit(c->hours, hour + 1);
    if (found < 0)
        return -1;
    return found * 3600 + next_bit(c->minutes, 0) * 60 + next_bit(c->seconds, 0);
}

/* The first day that matches after a date (of the day number `day`); INT64_MAX: none. */
static int64_t next_day(const struct cron *c, struct date date, int64_t day)
{
    int64_t first = day - date.day + 1; /* of the month */
    uint32_t passed = (uint32_t)((UINT64_C(2) << date.day) - 1);
    for (int i = 0; i < MONTHS_MAX && date.year <= YEAR_MAX; i++) {
        struct month m = {moil_month_days(date.year, date.month), moil_weekday_of(first)};
        uint32_t days = c->months >> date.month & 1 ? days_in(c, m) & ~passed : 0;
        if (days)
            return first + next_bit(days, 1) - 1;
        passed = 0;
        first += m.days;
        date.year += date.month == 12;
        date.month = date.month % 12 + 1;
    }
    return INT64_MAX;
}

int64_t moil_cron_next(const struct cron *c, int64_t local)
{
    int64_t from = local < FIRST_S ? FIRST_S : local + 1;
    if (local >= CALENDAR_END_S - 1)
        return INT64_MAX;
    int64_t day = moil_floor_div(from, DAY_S);
    struct date date = moil_date_of(day);
    struct month m = {moil_month_days(date.year, date.month), moil_weekday_of(day - date.day + 1)};
    if (c->months >> date.month & 1 && days_in(c, m) >> date.day & 1) {
        int second = next_in_day(c, (int)(from - day * DAY_S));
        if (second >= 0)
            return day * DAY_S + second;
    }
    day = next_day(c, date, day);
    return day == INT64_MAX ? day : day * DAY_S + next_in_day(c, 0);
}
