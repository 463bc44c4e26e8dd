/* solar.c: see solar.h. */
#include "beat/solar.h"

#include <stdio.h>

#include "base/error.h"

int moil_solar_init(struct solar *s, const char *event, double latitude, double longitude,
                    char *errstr, size_t errlen)
{
    *s = (struct solar){.latitude = latitude, .longitude = longitude};
    snprintf(errstr, errlen, "solar \"%s\" is not available yet", event);
    return MOIL_EINVAL;
}

const char *moil_solar_name(enum solar_event event)
{
    return event == SOLAR_NOON ? "solar_noon" : "sunrise";
}

int64_t moil_solar_next(const struct solar *s, int64_t instant)
{
    (void)s;
    (void)instant;
    return INT64_MAX;
}
