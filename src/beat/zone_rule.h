/* The rule at the end of a TZif file, in the form of POSIX's TZ ("CET-1CEST,M3.5.0,M10.5.0/3"):
 * what a zone does after the last change that its file lists. Used by zone.c alone. */
#ifndef MOIL_BEAT_ZONE_RULE_H
#define MOIL_BEAT_ZONE_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "beat/zone.h"

enum zone_day { ZONE_DAY_WEEK, ZONE_DAY_JULIAN, ZONE_DAY_ZERO };

/* A change's day and time: Mm.w.d, Jn (1 to 365, no leap day) or n (0 to 365). */
struct zone_change {
    enum zone_day kind;
    int month, week, weekday; /* week 5: the last one */
    int day;
    int time; /* seconds from that day's midnight, on the clock before the change */
};

struct zone_rule {
    int standard; /* seconds east of UTC */
    int summer;
    bool has_summer;
    struct zone_change begins, ends;
};

/* False where the text is no rule. */
bool moil_zone_rule_parse(struct slice text, struct zone_rule *out);

struct zone_span moil_zone_rule_span(const struct zone_rule *r, int64_t instant);

#endif
