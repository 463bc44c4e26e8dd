/* zone_rule.c: see zone_rule.h. */
#include "beat/zone_rule.h"

#include "beat/calendar.h"

/* --- parsing --------------------------------------------------------------------------------- */

struct cursor {
    const char *p, *end;
};

static char peek(const struct cursor *c)
{
    return c->p < c->end ? *c->p : '\0';
}

static bool take(struct cursor *c, char wanted)
{
    if (peek(c) != wanted || c->p == c->end)
        return false;
    c->p++;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Of at most three digits. */
static bool take_number(struct cursor *c, int min, int max, int *out)
{
    int v = 0, n = 0;
    for (; n < 3 && is_digit(peek(c)); n++)
        v = v * 10 + (*c->p++ - '0');
    *out = v;
    return n > 0 && v >= min && v <= max;
}

/* An abbreviation: letters, or anything but > in angle brackets. */
static bool skip_name(struct cursor *c)
{
    const char *begin = c->p;
    if (take(c, '<')) {
        while (c->p < c->end && *c->p != '>')
            c->p++;
        return take(c, '>');
    }
    while (is_letter(peek(c)))
        c->p++;
    return c->p > begin;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(struct cursor *c, int max_hours, int *out)
{
    int hours, minutes = 0, seconds = 0;
    bool minus = take(c, '-');
    if (!minus)
        (void)take(c, '+');
    if (!take_number(c, 0, max_hours, &hours))
        return false;
    if (take(c, ':')) {
        if (!take_number(c, 0, 59, &minutes))
            return false;
        if (take(c, ':') && !take_number(c, 0, 59, &seconds))
            return false;
    }
    *out = (hours * 3600 + minutes * 60 + seconds) * (minus ? -1 : 1);
    return true;
}

static bool take_day(struct cursor *c, struct zone_change *out)
{
    if (take(c, 'M')) {
        out->kind = ZONE_DAY_WEEK;
        return take_number(c, 1, 12, &out->month) && take(c, '.') &&
               take_number(c, 1, 5, &out->week) && take(c, '.') &&
               take_number(c, 0, 6, &out->weekday);
    }
    if (take(c, 'J')) {
        out->kind = ZONE_DAY_JULIAN;
        return take_number(c, 1, 365, &out->day);
    }
    out->kind = ZONE_DAY_ZERO;
    return take_number(c, 0, 365, &out->day);
}

static bool take_change(struct cursor *c, struct zone_change *out)
{
    out->time = 2 * 3600;
    return take(c, ',') && take_day(c, out) && (!take(c, '/') || take_time(c, 167, &out->time));
}

static bool parse(struct cursor *c, struct zone_rule *r)
{
    int west;
    if (!skip_name(c) || !take_time(c, 24, &west))
        return false;
    r->standard = -west;
    if (c->p == c->end)
        return true;
    r->has_summer = true;
    r->summer = r->standard + 3600;
    if (!skip_name(c))
        return false;
    if (peek(c) != ',') {
        if (!take_time(c, 24, &west))
            return false;
        r->summer = -west;
    }
    return take_change(c, &r->begins) && take_change(c, &r->ends) && c->p == c->end;
}

bool moil_zone_rule_parse(struct slice text, struct zone_rule *out)
{
    struct cursor c = {text.p, text.p + text.n};
    struct zone_rule r = {0};
    if (!parse(&c, &r))
        return false;
    *out = r;
    return true;
}

/* --- spans ----------------------------------------------------------------------------------- */

static int64_t day_of_change(const struct zone_change *change, int year)
{
    int64_t first = moil_days_of(year, 1, 1);
    switch (change->kind) {
    case ZONE_DAY_WEEK: {
        int64_t month = moil_days_of(year, change->month, 1);
        int day = (change->weekday - moil_weekday_of(month) + 7) % 7 + (change->week - 1) * 7;
        return month + (day < moil_month_days(year, change->month) ? day : day - 7);
    }
    case ZONE_DAY_JULIAN: /* 60 is the 1st of March, always */
        return first + change->day - 1 + (change->day >= 60 && moil_year_is_leap(year));
    case ZONE_DAY_ZERO:
        break;
    }
    return first + change->day;
}

static int64_t instant_of_change(const struct zone_change *change, int year, int offset_before)
{
    return day_of_change(change, year) * DAY_S + change->time - offset_before;
}

/* Of a year and the two on each side: a change's time may be a week beyond its day, so that all of
 * next year's may lie before the end of this one. */
enum { YEARS = 2, CHANGES = 2 * (2 * YEARS + 1) };

struct change {
    int64_t instant;
    int offset; /* from then on */
};

/* In order; of two at one instant (summer time all year: it ends when it begins) the beginning of
 * summer time is the later. */
static void list_changes(const struct zone_rule *r, int year, struct change out[CHANGES])
{
    int n = 0;
    for (int y = year - YEARS; y <= year + YEARS; y++) {
        struct change two[] = {
            {instant_of_change(&r->begins, y, r->standard), r->summer},
            {instant_of_change(&r->ends, y, r->summer), r->standard},
        };
        for (int i = 0; i < 2; i++) {
            int k = n++;
            for (; k > 0 && (out[k - 1].instant > two[i].instant ||
                             (out[k - 1].instant == two[i].instant && i == 1));
                 k--)
                out[k] = out[k - 1];
            out[k] = two[i];
        }
    }
}

struct zone_span moil_zone_rule_span(const struct zone_rule *r, int64_t instant)
{
    struct zone_span span = {INT64_MIN, INT64_MAX, r->standard};
    struct change changes[CHANGES] = {{0, 0}};
    if (!r->has_summer)
        return span;
    int year = moil_date_of(moil_floor_div(instant + r->standard, DAY_S)).year;
    list_changes(r, year, changes);
    int i = 0;
    while (i < CHANGES && changes[i].instant <= instant)
        i++;
    if (i > 0) {
        span.from = changes[i - 1].instant;
        span.offset = changes[i - 1].offset;
    }
    if (i < CHANGES)
        span.until = changes[i].instant;
    return span;
}
