/* calendar.c: see calendar.h. March begins the year here, so that the leap day is its last. */
#include "beat/calendar.h"

int moil_month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && moil_year_is_leap(year) ? 29 : days[month - 1];
}

/* An era is 400 years, after which the calendar repeats: 146,097 days. */
int64_t moil_days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? (int64_t)year - 1 : year;
    int64_t era = moil_floor_div(y, 400);
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct date moil_date_of(int64_t days)
{
    int64_t z = days + 719468;
    int64_t era = moil_floor_div(z, 146097);
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t m = (5 * doy + 2) / 153;
    int month = (int)(m < 10 ? m + 3 : m - 9);
    return (struct date){
        .year = (int)(yoe + era * 400 + (month <= 2)),
        .month = month,
        .day = (int)(doy - (153 * m + 2) / 5 + 1),
    };
}
