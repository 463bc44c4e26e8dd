/* entry.c: see entry.h. The fields of the JSON object are those of entry_fields.c. */
#include "beat/entry.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/job.h"
#include "base/line.h"
#include "base/mem.h"
#include "beat/entry_fields.h"
#include "conf/suggest.h"

static const char no_memory[] = "out of memory";

static bool check_known(struct entry_parse *p, const char *key)
{
    const char *names[ENTRY_FIELDS];
    for (size_t i = 0; i < ENTRY_FIELDS; i++) {
        if (strcmp(moil_entry_fields[i].name, key) == 0)
            return true;
        names[i] = moil_entry_fields[i].name;
    }
    const char *near = moil_nearest_name(key, names, ENTRY_FIELDS);
    if (near)
        snprintf(p->why, sizeof p->why, "unknown field \"%.60s\", did you mean \"%s\"?", key, near);
    else
        snprintf(p->why, sizeof p->why, "unknown field \"%.60s\"", key);
    return false;
}

static bool read_field(struct entry_parse *p, size_t i, const json_t *v)
{
    char why[ENTRY_WHY_MAX];
    if (!v)
        return true;
    p->why[0] = '\0';
    if (moil_entry_fields[i].read(p, v))
        return true;
    memcpy(why, p->why, sizeof why);
    if (*why)
        snprintf(p->why, sizeof p->why, "%s: %.380s", moil_entry_fields[i].name, why);
    else
        snprintf(p->why, sizeof p->why, "%s %s", moil_entry_fields[i].name,
                 moil_entry_fields[i].wants);
    return false;
}

/* --- the whole ------------------------------------------------------------------------------- */

static bool check_limits(struct entry_parse *p)
{
    double soft = json_number_value(json_object_get(p->extra, "soft_time_limit"));
    double hard = json_number_value(json_object_get(p->extra, "time_limit"));
    if (soft == 0 || hard == 0 || soft < hard)
        return true;
    snprintf(p->why, sizeof p->why, "soft_time_limit (%g s) must be less than time_limit (%g s)",
             soft, hard);
    return false;
}

static bool check_whole(struct entry_parse *p)
{
    const struct entry *e = p->e;
    const char *wrong = NULL;
    if (!e->task)
        wrong = "task is missing: the name of what it runs";
    else if (!p->timing)
        wrong = "it does not say when: one of every, cron, solar and at is wanted";
    else if (e->schedule.stop_ms < e->schedule.start_ms)
        wrong = "stop is before start";
    else if (moil_entry_next(e, -1) == MOIL_NEVER)
        wrong = "it is never due between start and stop";
    if (wrong)
        snprintf(p->why, sizeof p->why, "%s", wrong);
    return !wrong && check_limits(p);
}

static bool finish(struct entry_parse *p)
{
    if (!p->e->args && !moil_entry_set_text(p, &p->e->args, "[]"))
        return false;
    return json_object_size(p->extra) == 0 || moil_entry_set_json(p, &p->e->extra, p->extra);
}

static bool read_object(struct entry_parse *p, json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (!check_known(p, key))
            return false;
    }
    for (size_t i = 0; i < ENTRY_FIELDS; i++)
        if (!read_field(p, i, json_object_get(object, moil_entry_fields[i].name)))
            return false;
    return check_whole(p) && finish(p);
}

static bool read_text(struct entry_parse *p, struct slice text)
{
    json_error_t error;
    if (text.n > ENTRY_TEXT_MAX) {
        snprintf(p->why, sizeof p->why, "it is larger than 1 MB");
        return false;
    }
    json_t *object =
        json_loadb(text.p ? text.p : "", text.n, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    bool ok = json_is_object(object);
    if (ok)
        ok = read_object(p, object);
    else if (object)
        snprintf(p->why, sizeof p->why, "it must be a table of fields (a JSON object)");
    else
        snprintf(p->why, sizeof p->why, "it is no JSON: %.200s", error.text);
    json_decref(object);
    return ok;
}

static struct entry *new_entry(struct zones *zones, const char *name)
{
    struct entry *e = moil_mem_zalloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->priority = -1;
    e->overlap = true;
    e->schedule.zone = moil_zones_default(zones);
    e->schedule.start_ms = INT64_MIN;
    e->schedule.stop_ms = INT64_MAX;
    e->name = moil_mem_strdup(name);
    return e;
}

struct entry *moil_entry_parse(struct zones *zones, const char *name, struct slice json,
                               char *errstr, size_t errlen)
{
    struct entry_parse p = {.zones = zones, .e = new_entry(zones, name), .extra = json_object()};
    bool ok = p.e && p.e->name && p.extra;
    snprintf(p.why, sizeof p.why, "%s", ok ? "" : no_memory);
    if (ok && !moil_name_is_valid(slice_str(name))) {
        snprintf(p.why, sizeof p.why, "its name %s", moil_entry_name_wanted);
        ok = false;
    }
    ok = ok && read_text(&p, json);
    json_decref(p.extra);
    if (ok)
        return p.e;
    if (errlen > 0) {
        snprintf(errstr, errlen, "beat entry \"%.200s\": %s", name, p.why);
        moil_line_clean(errstr);
    }
    moil_entry_free(p.e);
    return NULL;
}

void moil_entry_free(struct entry *e)
{
    if (!e)
        return;
    char *const owned[] = {e->name, e->task, e->queue, e->args, e->kwargs, e->extra, e->when};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        moil_mem_free(owned[i]);
    moil_mem_free(e);
}

int64_t moil_entry_next(const struct entry *e, int64_t after_ms)
{
    return moil_schedule_next(&e->schedule, after_ms);
}

void moil_entry_extra(const struct entry *e, int64_t due_ms, struct buffer *out)
{
    moil_buffer_addf(out, "{\"eta\":%lld.%03d", (long long)(due_ms / 1000), (int)(due_ms % 1000));
    if (e->expires_ms > 0) {
        int64_t until = due_ms + e->expires_ms;
        moil_buffer_addf(out, ",\"expires\":%lld.%03d", (long long)(until / 1000),
                         (int)(until % 1000));
    }
    if (e->extra) {
        moil_buffer_add_char(out, ',');
        moil_buffer_add_str(out, e->extra + 1);
    } else {
        moil_buffer_add_char(out, '}');
    }
}
