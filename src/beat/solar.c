/* solar.c: see solar.h.
 *
 * The sun's place is that of the usual short series (Meeus, Astronomical Algorithms, ch. 25), good
 * to 0.01 degrees in these centuries: some seconds of time, as long as the sun does not graze the
 * horizon. */
#include "beat/solar.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "beat/calendar.h"
#include "conf/suggest.h"

static const double DEGREE = 0.017453292519943295;
static const double J2000_S = 946728000.0; /* 2000-01-01T12:00:00Z */

/* Terrestrial time is ahead of UTC by that much, in our time; the sun moves 0.001 degrees in it. */
static const double DELTA_T_S = 70.0;

static const double SEMIDIAMETER = 0.26656; /* degrees, at the mean distance */
static const double PARALLAX = 0.00244;     /* of the sun on the horizon */
static const double REFRACTION = 34.0 / 60; /* there, as almanacs agree on */

/* By the longest night there is: an event that a place has at all comes within a year. */
enum { DAYS_MAX = 400 };

/* --- the sun -------------------------------------------------------------------------------------
 */

struct sun {
    double declination; /* radians */
    double hour_angle;  /* radians, 0 at noon, growing, -pi to pi */
    double distance;    /* astronomical units */
};

static double turn_to_half(double degrees)
{
    return degrees - 360.0 * floor(degrees / 360.0 + 0.5);
}

static struct sun sun_at(double instant, double longitude)
{
    double days = (instant - J2000_S) / 86400.0;
    double t = (days + DELTA_T_S / 86400.0) / 36525.0;
    double mean_longitude = 280.46646 + t * (36000.76983 + t * 0.0003032);
    double anomaly = (357.52911 + t * (35999.05029 - t * 0.0001537)) * DEGREE;
    double centre = (1.914602 - t * (0.004817 + t * 0.000014)) * sin(anomaly) +
                    (0.019993 - t * 0.000101) * sin(2 * anomaly) + 0.000289 * sin(3 * anomaly);
    double node = (125.04 - 1934.136 * t) * DEGREE; /* of the moon: nutation */
    double nutation = -0.00478 * sin(node);
    double lambda = (mean_longitude + centre - 0.00569 + nutation) * DEGREE;
    double obliquity = (23.439291 - t * 0.0130042 + 0.00256 * cos(node)) * DEGREE;
    double ascension = atan2(cos(obliquity) * sin(lambda), cos(lambda)) / DEGREE;
    double eccentricity = 0.016708634 - t * 0.000042037;
    double sidereal = 280.46061837 + 360.98564736629 * days + nutation * cos(obliquity);
    return (struct sun){
        .declination = asin(sin(obliquity) * sin(lambda)),
        .hour_angle = turn_to_half(sidereal + longitude - ascension) * DEGREE,
        .distance =
            (1 - eccentricity * eccentricity) / (1 + eccentricity * cos(anomaly + centre * DEGREE)),
    };
}

/* --- events --------------------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    double altitude; /* degrees of the sun's centre; of its upper rim where `rim` */
    bool rim, rises;
} events[] = {
    [SOLAR_DAWN_ASTRONOMICAL] = {"dawn_astronomical", -18, false, true},
    [SOLAR_DAWN_NAUTICAL] = {"dawn_nautical", -12, false, true},
    [SOLAR_DAWN_CIVIL] = {"dawn_civil", -6, false, true},
    [SOLAR_SUNRISE] = {"sunrise", -REFRACTION, true, true},
    [SOLAR_NOON] = {"solar_noon", 0, false, false},
    [SOLAR_SUNSET] = {"sunset", -REFRACTION, true, false},
    [SOLAR_DUSK_CIVIL] = {"dusk_civil", -6, false, false},
    [SOLAR_DUSK_NAUTICAL] = {"dusk_nautical", -12, false, false},
    [SOLAR_DUSK_ASTRONOMICAL] = {"dusk_astronomical", -18, false, false},
};

static const struct {
    const char *name;
    enum solar_event event;
} short_names[] = {
    {"dawn", SOLAR_DAWN_CIVIL},
    {"noon", SOLAR_NOON},
    {"dusk", SOLAR_DUSK_CIVIL},
};

enum {
    EVENTS = sizeof events / sizeof *events,
    SHORT_NAMES = sizeof short_names / sizeof *short_names,
};

const char *moil_solar_name(enum solar_event event)
{
    return events[event].name;
}

static bool find_event(const char *name, enum solar_event *out)
{
    for (int i = 0; i < EVENTS; i++) {
        if (strcmp(events[i].name, name) == 0) {
            *out = (enum solar_event)i;
            return true;
        }
    }
    for (int i = 0; i < SHORT_NAMES; i++) {
        if (strcmp(short_names[i].name, name) == 0) {
            *out = short_names[i].event;
            return true;
        }
    }
    return false;
}

static void refuse_event(const char *name, char *errstr, size_t errlen)
{
    const char *names[EVENTS + SHORT_NAMES];
    for (int i = 0; i < EVENTS; i++)
        names[i] = events[i].name;
    for (int i = 0; i < SHORT_NAMES; i++)
        names[EVENTS + i] = short_names[i].name;
    const char *near = moil_nearest_name(name, names, EVENTS + SHORT_NAMES);
    if (near)
        snprintf(errstr, errlen, "there is no event \"%.40s\", did you mean \"%s\"?", name, near);
    else
        snprintf(
            errstr, errlen,
            "there is no event \"%.40s\"; there are sunrise, solar_noon, sunset, and dawn_ and "
            "dusk_ with civil, nautical and astronomical",
            name);
}

int moil_solar_init(struct solar *s, const char *event, double latitude, double longitude,
                    char *errstr, size_t errlen)
{
    struct solar place = {.latitude = latitude, .longitude = longitude};
    if (!find_event(event, &place.event)) {
        refuse_event(event, errstr, errlen);
        return MOIL_EINVAL;
    }
    if (!(fabs(latitude) <= 90)) {
        snprintf(errstr, errlen, "the latitude %.9g is out of range -90 to 90", latitude);
        return MOIL_EINVAL;
    }
    if (!(fabs(longitude) <= 180)) {
        snprintf(errstr, errlen, "the longitude %.9g is out of range -180 to 180", longitude);
        return MOIL_EINVAL;
    }
    *s = place;
    return 0;
}

/* --- when ----------------------------------------------------------------------------------------
 */

/* The noon of the place's nth day since the epoch. A day of the sun differs from 24 hours by half a
 * minute, so each step leaves less than a thousandth of the error. */
static double noon_of(const struct solar *s, int64_t n)
{
    double instant = (double)n * DAY_S + DAY_S / 2.0 - s->longitude * 240.0;
    for (int i = 0; i < 3; i++)
        instant -= sun_at(instant, s->longitude).hour_angle / DEGREE * 240.0;
    return instant;
}

/* How far the sun is above the event's altitude, in radians. */
static double height(const struct solar *s, double instant)
{
    struct sun sun = sun_at(instant, s->longitude);
    double latitude = s->latitude * DEGREE;
    double sine = sin(latitude) * sin(sun.declination) +
                  cos(latitude) * cos(sun.declination) * cos(sun.hour_angle);
    double altitude = asin(fmax(-1.0, fmin(1.0, sine)));
    double wanted = events[s->event].altitude + PARALLAX * cos(altitude);
    if (events[s->event].rim)
        wanted -= SEMIDIAMETER / sun.distance;
    return altitude - wanted * DEGREE;
}

/* Between noon and midnight, or midnight and noon, the sun goes one way: the moment of the event
 * in there, or 0 where it has none. */
static double find_between(const struct solar *s, double from, double to)
{
    bool rises = events[s->event].rises;
    bool above = height(s, from) >= 0;
    if (above == rises || (height(s, to) >= 0) != rises)
        return 0;
    while (to - from > 0.125) {
        double middle = (from + to) / 2;
        if ((height(s, middle) >= 0) == rises)
            to = middle;
        else
            from = middle;
    }
    return (from + to) / 2;
}

int64_t moil_solar_next(const struct solar *s, int64_t instant)
{
    instant = instant < -1 ? -1 : instant > CALENDAR_END_S ? CALENDAR_END_S : instant;
    int64_t n = moil_floor_div(instant + (int64_t)(s->longitude * 240.0), DAY_S) - 1;
    double noon = noon_of(s, n);
    for (int64_t last = n + DAYS_MAX; n < last; n++) {
        double next_noon = noon_of(s, n + 1), midnight = (noon + next_noon) / 2;
        double found[2] = {noon, 0};
        if (s->event != SOLAR_NOON) {
            found[0] = find_between(s, noon, midnight);
            found[1] = find_between(s, midnight, next_noon);
        }
        for (int i = 0; i < 2; i++)
            if (found[i] > 0 && (int64_t)floor(found[i] + 0.5) > instant)
                return (int64_t)floor(found[i] + 0.5);
        noon = next_noon;
    }
    return INT64_MAX;
}
