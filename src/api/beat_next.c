/* beat_next.c: beat files and what they bring, without Redis (moil.h, "schedules"). */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/moil.h"
#include "base/error.h"
#include "base/json_dump.h"
#include "base/mem.h"
#include "beat/config.h"
#include "beat/upcoming.h"
#include "conf/beat_file.h"

int moil_beat_read(const char *path, char **json, char *errstr, size_t errlen)
{
    struct beat_config config;
    char why[512], *text;
    int err = moil_beat_file_load(path, &text, errstr, errlen);
    if (err)
        return err == MOIL_ENOMEM ? MOIL_STATUS_NOMEM : MOIL_STATUS_INVALID;
    err = moil_beat_config_parse(&config, slice_str(text), why, sizeof why);
    moil_beat_config_fini(&config);
    if (err) {
        snprintf(errstr, errlen, "%s: %s", path, why);
        moil_mem_free(text);
        return err == MOIL_ENOMEM ? MOIL_STATUS_NOMEM : MOIL_STATUS_INVALID;
    }
    *json = text;
    return 0;
}

static void add_run(void *data, const struct entry *e, int64_t due_ms)
{
    char local[UPCOMING_LOCAL_MAX];
    const struct zone *zone = e->schedule.zone;
    json_array_append_new(data, json_pack("{s:s, s:s, s:f, s:s, s:s}", "entry", e->name, "task",
                                          e->task, "due", (double)due_ms / 1000, "local",
                                          moil_upcoming_local(zone, due_ms, local), "timezone",
                                          moil_zone_name(zone)));
}

int moil_beat_next(const char *json, double from, size_t n, char **runs, char *errstr,
                   size_t errlen)
{
    struct beat_config config;
    if (!isfinite(from) || fabs(from) > 1e12) {
        snprintf(errstr, errlen, "from must be a time that a calendar knows");
        return MOIL_STATUS_INVALID;
    }
    json_t *rows = json_array();
    int err = moil_beat_config_parse(&config, slice_str(json), errstr, errlen);
    if (!err)
        err = moil_upcoming(config.entries, config.count, (int64_t)floor(from * 1000), n, add_run,
                            rows);
    char *text = err ? NULL : moil_json_dump(rows, JSON_COMPACT);
    moil_beat_config_fini(&config);
    json_decref(rows);
    if (text) {
        *runs = text;
        return 0;
    }
    return err == MOIL_EINVAL ? MOIL_STATUS_INVALID : MOIL_STATUS_NOMEM;
}
