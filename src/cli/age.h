/* Points in time and durations as people read them. */
#ifndef MOIL_CLI_AGE_H
#define MOIL_CLI_AGE_H

#include "base/buffer.h"

/* "0.3s", "42s", "5m 03s", "2h 05m", "3d 04h" */
void moil_age_add(struct buffer *out, double seconds);

/* An instant (seconds since the epoch) seen from now, by Redis's clock as a rule: "42s ago", "in 5m
 * 03s" */
void moil_age_add_relative(struct buffer *out, double instant, double now);

/* An instant as "2030-01-01 09:00:00Z (42s ago)" */
void moil_age_add_instant(struct buffer *out, double instant, double now);

#endif
