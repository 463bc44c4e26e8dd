/* Parsing of ISO 8601 instants and epoch seconds. Pure: no clock, no time zone database. */
#include "conf/instant.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define LATEST 253402300800.0 /* the year 10000, in seconds */

/* n decimal digits at *p, moving it; -1 when they are not there. */
static int digits(const char **p, int n)
{
    int v = 0;
    for (int i = 0; i < n; i++) {
        char c = **p;
        if (c < '0' || c > '9') {
            return -1;
        }
        v = v * 10 + (c - '0');
        (*p)++;
    }
    return v;
}

static bool take(const char **p, char c)
{
    if (**p != c) {
        return false;
    }
    (*p)++;
    return true;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days since 1970-01-01 of a date in the Gregorian calendar. */
static int64_t days_since_epoch(int year, int month, int day)
{
    int64_t y = year - 1;
    int64_t days = y * 365 + y / 4 - y / 100 + y / 400 - 719162;
    for (int m = 1; m < month; m++) {
        days += days_in_month(year, m);
    }
    return days + day - 1;
}

/* YYYY-MM-DD */
static bool parse_date(const char **p, double *out)
{
    int year = digits(p, 4);
    bool dash = take(p, '-');
    int month = dash ? digits(p, 2) : -1;
    int day = month > 0 && take(p, '-') ? digits(p, 2) : -1;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) {
        return false;
    }
    *out = (double)days_since_epoch(year, month, day) * 86400.0;
    return true;
}

/* HH:MM[:SS[.fraction]]; a leap second counts as the next minute's first. */
static bool parse_clock(const char **p, double *out)
{
    int hour = digits(p, 2);
    int minute = take(p, ':') ? digits(p, 2) : -1;
    int second = 0;
    double fraction = 0;
    if (take(p, ':')) {
        second = digits(p, 2);
        if (take(p, '.')) {
            double unit = 0.1;
            if (**p < '0' || **p > '9') {
                return false;
            }
            for (; **p >= '0' && **p <= '9'; (*p)++, unit /= 10) {
                fraction += (**p - '0') * unit;
            }
        }
    }
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
        return false;
    }
    *out += hour * 3600.0 + minute * 60.0 + second + fraction;
    return true;
}

/* Z, +HH:MM, +HHMM or +HH */
static bool parse_offset(const char **p, double *out)
{
    if (take(p, 'Z') || take(p, 'z')) {
        return true;
    }
    bool east = **p == '+';
    if (!take(p, '+') && !take(p, '-')) {
        return false;
    }
    int hour = digits(p, 2);
    int minute = take(p, ':') || **p != '\0' ? digits(p, 2) : 0;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59) {
        return false;
    }
    *out -= (east ? 1 : -1) * (hour * 3600.0 + minute * 60.0);
    return true;
}

static bool parse_epoch(const char *text, double *out)
{
    char *end;
    if (strspn(text, "0123456789.") != strlen(text)) {
        return false;
    }
    *out = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*out) && *out < LATEST;
}

int moil_instant_parse(const char *text, double *out)
{
    const char *p = text;
    double v;
    if (parse_epoch(text, &v)) {
        *out = v;
        return 0;
    }
    if (!parse_date(&p, &v) || (!take(&p, 'T') && !take(&p, 't') && !take(&p, ' ')) ||
        !parse_clock(&p, &v) || !parse_offset(&p, &v) || *p != '\0' || v < 0) {
        return MOIL_EINVAL;
    }
    *out = v;
    return 0;
}

int moil_when_parse(const char *text, double *out)
{
    double v;
    if (moil_instant_parse(text, &v) < 0) {
        return MOIL_EINVAL;
    }
    *out = v < MOIL_EPOCH_FROM && strpbrk(text, "-:") ? MOIL_EPOCH_FROM : v;
    return 0;
}
