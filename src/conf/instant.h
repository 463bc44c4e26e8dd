/* A point in time as people write it. Pure; used for --eta. */
#ifndef MOIL_CONF_INSTANT_H
#define MOIL_CONF_INSTANT_H

/* ISO 8601 with an offset ("2030-01-01T09:00:00+08:00", "…Z", seconds and their fraction may be
 * left out) or seconds since the epoch, into seconds since the epoch. 0, or MOIL_EINVAL. */
int moil_instant_parse(const char *text, double *out);

#endif
