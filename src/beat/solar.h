/* When the sun does what at a place: dawn, sunrise, noon, sunset, dusk.
 *
 * Pure. Used by schedule.c. Times are whole seconds since the epoch, so that two machines whose
 * mathematics differ in the last digit agree. */
#ifndef MOIL_BEAT_SOLAR_H
#define MOIL_BEAT_SOLAR_H

#include <stddef.h>
#include <stdint.h>

enum solar_event {
    SOLAR_DAWN_ASTRONOMICAL, /* the sun's centre rises over -18 degrees */
    SOLAR_DAWN_NAUTICAL,     /* -12 */
    SOLAR_DAWN_CIVIL,        /* -6 */
    SOLAR_SUNRISE,           /* its upper rim over -34 minutes, as refraction lifts it that much */
    SOLAR_NOON,              /* it is due south, or north */
    SOLAR_SUNSET,
    SOLAR_DUSK_CIVIL,
    SOLAR_DUSK_NAUTICAL,
    SOLAR_DUSK_ASTRONOMICAL,
};

struct solar {
    enum solar_event event;
    double latitude;  /* degrees, north is positive */
    double longitude; /* degrees, east is positive */
};

/* 0, or MOIL_EINVAL with a sentence in errstr: unknown event (with the nearest name), or a
 * place that is none on Earth. The names are Celery's ("dawn_civil", "solar_noon", …) and, for
 * short, dawn, noon, dusk (civil). */
int moil_solar_init(struct solar *s, const char *event, double latitude, double longitude,
                    char *errstr, size_t errlen);

const char *moil_solar_name(enum solar_event event);

/* The first such event after an instant. Days without one (polar day and night, or nights that stay
 * light) are passed over; each event comes at least once a year everywhere, at the poles as well.
 * Noon is every day, in polar night too. */
int64_t moil_solar_next(const struct solar *s, int64_t instant);

#endif
