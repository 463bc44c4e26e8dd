/* cron.c: see cron.h. */
#include "beat/cron.h"

#include <stdio.h>

#include "base/error.h"

int moil_cron_parse(const char *text, struct cron *out, char *errstr, size_t errlen)
{
    (void)out;
    snprintf(errstr, errlen, "cron \"%s\" is not available yet", text);
    return MOIL_EINVAL;
}

int64_t moil_cron_next(const struct cron *c, int64_t local)
{
    (void)c;
    (void)local;
    return INT64_MAX;
}
