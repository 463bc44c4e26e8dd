/* entry_fields.c: see entry_fields.h. */
#include "beat/entry_fields.h"

#include <stdio.h>
#include <string.h>

#include "base/job.h"
#include "base/json_dump.h"
#include "base/mem.h"

static const char no_memory[] = "out of memory";

/* --- values ---------------------------------------------------------------------------------- */

static bool in_range(const json_t *v, double min, double max)
{
    double n = json_number_value(v);
    return json_is_number(v) && n >= min && n <= max;
}

static bool is_limit(const json_t *v)
{
    return json_is_false(v) || in_range(v, 0.01, 1e9);
}

static bool is_ttl(const json_t *v)
{
    return json_is_false(v) || in_range(v, 0, 1e10);
}

static bool is_policy(const json_t *v)
{
    return json_is_false(v) || json_is_string(json_object_get(v, "policy"));
}

static bool is_count(const json_t *v)
{
    return json_is_integer(v) && in_range(v, 1, 1e9);
}

/* Lua's empty table is an empty list. */
static bool is_empty(const json_t *v)
{
    return (json_is_array(v) && json_array_size(v) == 0) ||
           (json_is_object(v) && json_object_size(v) == 0);
}

bool moil_entry_set_text(struct entry_parse *p, char **field, const char *text)
{
    *field = text ? moil_mem_strdup(text) : NULL;
    if (!*field)
        snprintf(p->why, sizeof p->why, "%s", no_memory);
    return *field != NULL;
}

static bool set_name(struct entry_parse *p, char **field, const json_t *v)
{
    struct slice name = slice_of(json_string_value(v), json_string_length(v));
    return json_is_string(v) && moil_name_is_valid(name) &&
           moil_entry_set_text(p, field, json_string_value(v));
}

bool moil_entry_set_json(struct entry_parse *p, char **field, const json_t *v)
{
    *field = moil_json_dump(v, JSON_COMPACT);
    if (!*field)
        snprintf(p->why, sizeof p->why, "cannot be written as JSON");
    return *field != NULL;
}

static bool set_flag(bool *field, const json_t *v)
{
    *field = json_is_true(v);
    return json_is_boolean(v);
}

static bool set_instant(struct entry_parse *p, int64_t *field, const json_t *v)
{
    if (in_range(v, 0, 253402300799.0)) {
        *field = (int64_t)(json_number_value(v) * 1000 + 0.5);
        return true;
    }
    return json_is_string(v) &&
           moil_schedule_instant(p->e->schedule.zone, json_string_value(v), field) == 0;
}

/* --- when ------------------------------------------------------------------------------------ */

static bool read_timezone(struct entry_parse *p, const json_t *v)
{
    if (!json_is_string(v))
        return false;
    const struct zone *z = moil_zones_get(p->zones, json_string_value(v), p->why, sizeof p->why);
    if (z)
        p->e->schedule.zone = z;
    return z != NULL;
}

/* Never two of them, and the text for people. */
static bool set_timing(struct entry_parse *p, enum schedule_kind kind, const char *field,
                       const char *text)
{
    if (p->timing) {
        snprintf(p->why, sizeof p->why, "there is %s already: an entry has one of them", p->timing);
        return false;
    }
    p->timing = field;
    p->e->schedule.kind = kind;
    return moil_entry_set_text(p, &p->e->when, text);
}

static bool read_every(struct entry_parse *p, const json_t *v)
{
    char text[64];
    if (!in_range(v, 0.01, 1e9))
        return false;
    snprintf(text, sizeof text, "every %.10g s", json_number_value(v));
    p->e->schedule.every_us = (int64_t)(json_number_value(v) * 1e6 + 0.5);
    return set_timing(p, SCHEDULE_EVERY, "every", text);
}

static bool read_cron(struct entry_parse *p, const json_t *v)
{
    char text[CRON_TEXT_MAX + 8];
    const char *cron = json_string_value(v);
    if (!cron || moil_cron_parse(cron, &p->e->schedule.cron, p->why, sizeof p->why) < 0)
        return false;
    snprintf(text, sizeof text, "cron %s", cron);
    return set_timing(p, SCHEDULE_CRON, "cron", text);
}

static bool read_solar(struct entry_parse *p, const json_t *v)
{
    char text[96];
    const char *event = json_string_value(json_array_get(v, 0));
    const json_t *latitude = json_array_get(v, 1), *longitude = json_array_get(v, 2);
    struct solar *solar = &p->e->schedule.solar;
    if (json_array_size(v) != 3 || !event || !json_is_number(latitude) ||
        !json_is_number(longitude) ||
        moil_solar_init(solar, event, json_number_value(latitude), json_number_value(longitude),
                        p->why, sizeof p->why) < 0)
        return false;
    snprintf(text, sizeof text, "solar %s %.6g %.6g", moil_solar_name(solar->event),
             solar->latitude, solar->longitude);
    return set_timing(p, SCHEDULE_SOLAR, "solar", text);
}

static bool read_at(struct entry_parse *p, const json_t *v)
{
    char text[96];
    if (!set_instant(p, &p->e->schedule.at_ms, v))
        return false;
    if (json_is_string(v))
        snprintf(text, sizeof text, "at %.80s", json_string_value(v));
    else
        snprintf(text, sizeof text, "at %.14g", json_number_value(v));
    return set_timing(p, SCHEDULE_AT, "at", text);
}

static bool read_start(struct entry_parse *p, const json_t *v)
{
    return set_instant(p, &p->e->schedule.start_ms, v);
}

static bool read_stop(struct entry_parse *p, const json_t *v)
{
    return set_instant(p, &p->e->schedule.stop_ms, v);
}

static bool read_jitter(struct entry_parse *p, const json_t *v)
{
    p->e->jitter_ms = in_range(v, 0, 86400) ? (int64_t)(json_number_value(v) * 1000 + 0.5) : -1;
    return p->e->jitter_ms >= 0;
}

/* --- how it runs ----------------------------------------------------------------------------- */

static const char *const catch_up_names[] = {"one", "all", "none"};

const char *moil_catch_up_name(enum catch_up c)
{
    return catch_up_names[c];
}

static bool read_catch_up(struct entry_parse *p, const json_t *v)
{
    for (size_t i = 0; json_is_string(v) && i < 3; i++) {
        if (strcmp(catch_up_names[i], json_string_value(v)) == 0) {
            p->e->catch_up = (enum catch_up)i;
            return true;
        }
    }
    return false;
}

static bool read_overlap(struct entry_parse *p, const json_t *v)
{
    return set_flag(&p->e->overlap, v);
}

static bool read_paused(struct entry_parse *p, const json_t *v)
{
    return set_flag(&p->e->paused, v);
}

static bool read_max_runs(struct entry_parse *p, const json_t *v)
{
    p->e->max_runs = json_integer_value(v);
    return is_count(v);
}

/* --- what it enqueues ------------------------------------------------------------------------ */

static bool read_task(struct entry_parse *p, const json_t *v)
{
    return set_name(p, &p->e->task, v);
}

static bool read_queue(struct entry_parse *p, const json_t *v)
{
    return set_name(p, &p->e->queue, v);
}

static bool read_args(struct entry_parse *p, const json_t *v)
{
    return json_is_array(v) && moil_entry_set_json(p, &p->e->args, v);
}

static bool read_kwargs(struct entry_parse *p, const json_t *v)
{
    return is_empty(v) || (json_is_object(v) && moil_entry_set_json(p, &p->e->kwargs, v));
}

static bool read_priority(struct entry_parse *p, const json_t *v)
{
    p->e->priority = (int)json_integer_value(v);
    return json_is_integer(v) && in_range(v, 0, 9);
}

static bool read_at_front(struct entry_parse *p, const json_t *v)
{
    return set_flag(&p->e->at_front, v);
}

static bool read_expires(struct entry_parse *p, const json_t *v)
{
    p->e->expires_ms = in_range(v, 0.001, 1e9) ? (int64_t)(json_number_value(v) * 1000 + 0.5) : 0;
    return p->e->expires_ms > 0;
}

static bool set_extra(struct entry_parse *p, const char *field, const json_t *v)
{
    if (json_object_set_new(p->extra, field, json_incref((json_t *)v)) == 0)
        return true;
    snprintf(p->why, sizeof p->why, "%s", no_memory);
    return false;
}

static bool read_headers(struct entry_parse *p, const json_t *v)
{
    return is_empty(v) || (json_is_object(v) && set_extra(p, "headers", v));
}

static bool read_retry(struct entry_parse *p, const json_t *v)
{
    return is_policy(v) && set_extra(p, "retry", v);
}

static bool read_time_limit(struct entry_parse *p, const json_t *v)
{
    return is_limit(v) && set_extra(p, "time_limit", v);
}

static bool read_soft_time_limit(struct entry_parse *p, const json_t *v)
{
    return is_limit(v) && set_extra(p, "soft_time_limit", v);
}

static bool read_result_ttl(struct entry_parse *p, const json_t *v)
{
    return is_ttl(v) && set_extra(p, "result_ttl", v);
}

static bool read_ignore_result(struct entry_parse *p, const json_t *v)
{
    return json_is_boolean(v) && set_extra(p, "ignore_result", v);
}

static bool read_max_deliveries(struct entry_parse *p, const json_t *v)
{
    return is_count(v) && set_extra(p, "max_deliveries", v);
}

/* Fields of a call that make no sense here. */
static bool refuse_field(struct entry_parse *p, const json_t *v)
{
    (void)p;
    (void)v;
    return false;
}

/* --- the table ------------------------------------------------------------------------------- */

const char moil_entry_name_wanted[] =
    "must be a name (1 to 200 printable ASCII characters without space)";
static const char a_flag[] = "must be true or false";
static const char a_limit[] = "must be a number of seconds, 0.01 to 1000000000, or false for none";
static const char an_instant[] = "must be a time such as 2030-01-01T09:00:00+08:00, without its "
                                 "offset one of the entry's time zone, or seconds since the epoch";
static const char a_count[] = "must be a whole number, 1 to 1000000000";
static const char the_schedule_says[] = "does not go with an entry: its schedule says when it runs";
static const char no_workflow[] = "does not go with an entry: enqueue the workflow in its task";

const struct entry_field moil_entry_fields[] = {
    {"task", read_task, moil_entry_name_wanted},
    {"timezone", read_timezone, "must be a name such as Europe/Berlin"},
    {"every", read_every, "must be a number of seconds, 0.01 to 1000000000"},
    {"cron", read_cron, "must be a text such as \"0 12 * * *\""},
    {"solar", read_solar,
     "must be an event, a latitude and a longitude: "
     "{ \"sunset\", 31.23, 121.47 }"},
    {"at", read_at, an_instant},
    {"start", read_start, an_instant},
    {"stop", read_stop, an_instant},
    {"args", read_args, "must be a list (names and values go into kwargs)"},
    {"kwargs", read_kwargs, "must be names and values (a list goes into args)"},
    {"queue", read_queue, moil_entry_name_wanted},
    {"priority", read_priority, "must be a whole number from 0 to 9, higher first"},
    {"at_front", read_at_front, a_flag},
    {"expires", read_expires, "must be a number of seconds after the due time, more than 0"},
    {"headers", read_headers, "must be names and values"},
    {"retry", read_retry, "must be a policy such as moil.retry.fixed{}, or false for none"},
    {"time_limit", read_time_limit, a_limit},
    {"soft_time_limit", read_soft_time_limit, a_limit},
    {"result_ttl", read_result_ttl,
     "must be a number of seconds, 0 for none kept, or false for ever"},
    {"ignore_result", read_ignore_result, a_flag},
    {"max_deliveries", read_max_deliveries, a_count},
    {"catch_up", read_catch_up, "must be \"one\", \"all\" or \"none\""},
    {"overlap", read_overlap, a_flag},
    {"max_runs", read_max_runs, a_count},
    {"jitter", read_jitter, "must be a number of seconds, 0 to 86400"},
    {"paused", read_paused, a_flag},
    {"id", refuse_field, "does not go with an entry: each run gets an id of its own"},
    {"eta", refuse_field, the_schedule_says},
    {"countdown", refuse_field, the_schedule_says},
    {"link", refuse_field, no_workflow},
    {"link_error", refuse_field, no_workflow},
    {"depends_on", refuse_field, no_workflow},
};

_Static_assert(sizeof moil_entry_fields / sizeof *moil_entry_fields == ENTRY_FIELDS,
               "the count in the header");
