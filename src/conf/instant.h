/* A point in time as people write it. Pure; used for --eta and the like. */
#ifndef MOIL_CONF_INSTANT_H
#define MOIL_CONF_INSTANT_H

/* ISO 8601 with an offset ("2030-01-01T09:00:00+08:00", "…Z", seconds and their fraction may be
 * left out) or seconds since the epoch, into seconds since the epoch. 0, or MOIL_EINVAL. */
int moil_instant_parse(const char *text, double *out);

/* The same, or a delay: a number below MOIL_EPOCH_FROM is seconds from now, and is left as it is.
 * Times before 2001 become MOIL_EPOCH_FROM: they are past. */
int moil_when_parse(const char *text, double *out);

/* From here on numbers are seconds since the epoch (2001-09-09). */
#define MOIL_EPOCH_FROM 1e9

#endif
