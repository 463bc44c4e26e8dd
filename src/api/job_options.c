/* job_options.c: see job_options.h. The names and types are those of docs/protocol.md, "Fields of
 * extra". */
#include "api/job_options.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/line.h"
#include "conf/suggest.h"

static bool is_time(const json_t *v)
{
    return json_is_number(v) && json_number_value(v) >= 0;
}

static bool is_ttl(const json_t *v)
{
    return json_is_false(v) || is_time(v);
}

static bool is_limit(const json_t *v)
{
    return json_is_false(v) || (json_is_number(v) && json_number_value(v) > 0);
}

static bool is_flag(const json_t *v)
{
    return json_is_boolean(v);
}

static bool is_object(const json_t *v)
{
    return json_is_object(v);
}

static bool is_policy(const json_t *v)
{
    return json_is_false(v) || json_is_string(json_object_get(v, "policy"));
}

static bool is_count(const json_t *v)
{
    return json_is_integer(v) && json_integer_value(v) >= 1;
}

static bool is_id(const json_t *v)
{
    return json_is_string(v);
}

static bool is_later(const json_t *v)
{
    (void)v;
    return false;
}

static const char later[] = "can be said in Lua alone";

/* The names stand apart, as moil_nearest_name takes them so. */
static const char *const names[] = {
    "expires",         "eta",   "result_ttl",     "ignore_result", "time_limit",
    "soft_time_limit", "retry", "max_deliveries", "headers",       "parent_id",
    "root_id",         "link",  "link_error",     "depends_on",
};

static const struct {
    bool (*check)(const json_t *v);
    const char *wants;
} checks[] = {
    {is_time, "must be seconds since the epoch"},
    {is_time, "must be seconds since the epoch"},
    {is_ttl, "must be a number of seconds, 0 for none kept, or false for ever"},
    {is_flag, "must be true or false"},
    {is_limit, "must be a number of seconds, more than 0, or false for none"},
    {is_limit, "must be a number of seconds, more than 0, or false for none"},
    {is_policy, "must be false or a retry policy such as {\"policy\":\"fixed\",\"max\":3}"},
    {is_count, "must be a whole number, 1 or more"},
    {is_object, "must be an object"},
    {is_id, "must be an id"},
    {is_id, "must be an id"},
    {is_later, later},
    {is_later, later},
    {is_later, "is a field of the job, or --depends-on"},
};

enum { COUNT = sizeof names / sizeof *names };

_Static_assert(COUNT == sizeof checks / sizeof *checks, "one check for each name");

static bool check(const char *name, const json_t *value, char *why, size_t len)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        if (checks[i].check(value))
            return true;
        snprintf(why, len, "options: %s %s", name, checks[i].wants);
        return false;
    }
    const char *nearest = moil_nearest_name(name, names, COUNT);
    if (nearest)
        snprintf(why, len, "options: unknown name \"%.60s\", did you mean \"%s\"?", name, nearest);
    else
        snprintf(why, len, "options: unknown name \"%.60s\"", name);
    return false;
}

static bool check_all(json_t *object, char *why, size_t len)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        if (!check(name, value, why, len))
            return false;
    }
    return true;
}

static bool check_limits(const json_t *object, char *why, size_t len)
{
    double soft = json_number_value(json_object_get(object, "soft_time_limit"));
    double hard = json_number_value(json_object_get(object, "time_limit"));
    if (soft == 0 || hard == 0 || soft < hard)
        return true;
    snprintf(why, len, "options: soft_time_limit (%g s) must be less than time_limit (%g s)", soft,
             hard);
    return false;
}

int moil_job_options_check(const char *text, char *why, size_t len)
{
    if (!text)
        return 1;
    json_t *object = json_loads(text, JSON_ALLOW_NUL, NULL);
    bool ok = json_is_object(object);
    if (ok)
        ok = check_all(object, why, len) && check_limits(object, why, len);
    else
        snprintf(why, len, "options must be a JSON object");
    if (!ok)
        moil_line_clean(why);
    json_decref(object);
    return ok;
}
