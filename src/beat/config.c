/* config.c: see config.h. */
#include "beat/config.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json_dump.h"
#include "base/line.h"
#include "base/mem.h"

static int fail(char *errstr, size_t errlen, const char *what)
{
    snprintf(errstr, errlen, "%s", what);
    moil_line_clean(errstr);
    return MOIL_EINVAL;
}

static int set_zone(struct beat_config *c, const json_t *zone, char *errstr, size_t errlen)
{
    char why[256];
    if (!zone)
        return 0;
    if (!json_is_string(zone))
        return fail(errstr, errlen, "timezone: it must be a name such as \"Europe/Paris\"");
    if (moil_zones_set_default(c->zones, json_string_value(zone), why, sizeof why) != 0) {
        snprintf(errstr, errlen, "timezone: %s", why);
        return MOIL_EINVAL;
    }
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct entry *const *)a)->name, (*(struct entry *const *)b)->name);
}

static int add_entry(struct beat_config *c, const char *name, const json_t *value, char *errstr,
                     size_t errlen)
{
    char *text = moil_json_dump(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    struct entry *e =
        text ? moil_entry_parse(c->zones, name, slice_str(text), errstr, errlen) : NULL;
    int err = !text ? MOIL_ENOMEM : e ? 0 : MOIL_EINVAL;
    moil_mem_free(text);
    if (e)
        c->entries[c->count++] = e;
    return err;
}

static int add_entries(struct beat_config *c, json_t *schedule, char *errstr, size_t errlen)
{
    const char *name;
    json_t *value;
    if (!json_is_object(schedule))
        return fail(errstr, errlen, "schedule: it must be a table of entries by their names");
    c->entries = moil_mem_zalloc(json_object_size(schedule) + 1, sizeof(struct entry *));
    if (!c->entries)
        return MOIL_ENOMEM;
    json_object_foreach(schedule, name, value)
    {
        int err = add_entry(c, name, value, errstr, errlen);
        if (err)
            return err;
    }
    qsort(c->entries, c->count, sizeof(struct entry *), by_name);
    return 0;
}

int moil_beat_config_parse(struct beat_config *c, struct slice json, char *errstr, size_t errlen)
{
    *c = (struct beat_config){.zones = moil_zones_new()};
    snprintf(errstr, errlen, "out of memory");
    if (!c->zones)
        return MOIL_ENOMEM;
    json_t *object = json_loadb(json.p, json.n, JSON_ALLOW_NUL, NULL);
    int err = json_is_object(object)
                  ? set_zone(c, json_object_get(object, "timezone"), errstr, errlen)
                  : fail(errstr, errlen, "a beat configuration is a JSON object with a schedule");
    if (!err)
        err = add_entries(c, json_object_get(object, "schedule"), errstr, errlen);
    json_decref(object);
    return err;
}

void moil_beat_config_fini(struct beat_config *c)
{
    for (size_t i = 0; i < c->count; i++)
        moil_entry_free(c->entries[i]);
    moil_mem_free(c->entries);
    moil_zones_free(c->zones);
    *c = (struct beat_config){0};
}
