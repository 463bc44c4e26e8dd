/* Formatting of ages and instants for tables. Reads no clock. */
#include "cli/age.h"

#include <math.h>
#include <time.h>

#define LATEST 253402300799.0 /* the last second of the year 9999 */

void moil_age_add(struct buffer *out, double seconds)
{
    if (!(seconds >= 0)) {
        seconds = 0;
    }
    if (seconds < 9.95) {
        moil_buffer_addf(out, "%.1fs", seconds);
        return;
    }
    if (seconds > LATEST) {
        seconds = LATEST;
    }
    long long s = llround(seconds);
    if (s < 60) {
        moil_buffer_addf(out, "%llds", s);
    } else if (s < 3600) {
        moil_buffer_addf(out, "%lldm %02llds", s / 60, s % 60);
    } else if (s < 86400) {
        moil_buffer_addf(out, "%lldh %02lldm", s / 3600, s / 60 % 60);
    } else {
        moil_buffer_addf(out, "%lldd %02lldh", s / 86400, s / 3600 % 24);
    }
}

void moil_age_add_relative(struct buffer *out, double instant, double now)
{
    double age = now - instant;
    if (age < 0) {
        moil_buffer_add_str(out, "in ");
        moil_age_add(out, -age);
    } else {
        moil_age_add(out, age);
        moil_buffer_add_str(out, " ago");
    }
}

void moil_age_add_instant(struct buffer *out, double instant, double now)
{
    struct tm tm;
    char text[32];
    time_t t = (time_t)instant;
    if (!(instant >= 0 && instant <= LATEST) || !gmtime_r(&t, &tm)) {
        moil_buffer_addf(out, "%.0f", instant);
        return;
    }
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &tm);
    moil_buffer_addf(out, "%s (", text);
    moil_age_add_relative(out, instant, now);
    moil_buffer_add_char(out, ')');
}
