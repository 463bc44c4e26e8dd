/* The entries of a beat file: from the JSON that conf/beat_file.c makes of it,
 * {"timezone": …, "schedule": {NAME: {…}, …}}.
 *
 * Used by the check (api/), the scheduler (worker/) and `moil beat next`. Pure. */
#ifndef MOIL_BEAT_CONFIG_H
#define MOIL_BEAT_CONFIG_H

#include "beat/entry.h"

struct beat_config {
    struct zones *zones;
    struct entry **entries; /* by name */
    size_t count;
};

/* 0; or MOIL_EINVAL or MOIL_ENOMEM with one line in errstr that names entry and field. `fini` in
 * any case. */
int moil_beat_config_parse(struct beat_config *c, struct slice json, char *errstr, size_t errlen);
void moil_beat_config_fini(struct beat_config *c);

#endif
