/* job_check.c: what is wrong with a job that a program hands over. A part of the client (client.h).
 */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "api/client.h"
#include "api/job_options.h"
#include "base/error.h"

enum { DEPTH_MAX = 128 }; /* vm/json.h has the same */

static int bad(struct moil_client *c, size_t i, const char *what)
{
    return moil_client_fail(c, MOIL_STATUS_INVALID, "job %zu: %s", i + 1, what);
}

/* True when text is JSON of that type. "[]" and absent text are so often there that they are not
 * parsed. */
static bool is_json(const char *text, json_type type)
{
    if (!text || (type == JSON_ARRAY && strcmp(text, "[]") == 0))
        return true;
    json_t *v = json_loads(text, JSON_ALLOW_NUL, NULL);
    bool ok = v && json_typeof(v) == type;
    json_decref(v);
    return ok;
}

/* Levels of nesting in JSON text: what workers refuse is refused here. */
static int depth_of(const char *text)
{
    int depth = 0, deepest = 0;
    bool in_string = false;
    for (const char *p = text ? text : ""; *p; p++) {
        if (*p == '"')
            in_string = !in_string;
        else if (in_string && *p == '\\' && p[1])
            p++;
        else if (!in_string && (*p == '[' || *p == '{') && ++depth > deepest)
            deepest = depth;
        else if (!in_string && (*p == ']' || *p == '}'))
            depth--;
    }
    return deepest;
}

int moil_client_check_job(struct moil_client *c, const moil_job *job, size_t i)
{
    if (!job->task || !moil_name_is_valid(slice_str(job->task)))
        return bad(c, i, "task must be 1 to 200 printable characters without space");
    if (job->queue && !moil_name_is_valid(slice_str(job->queue)))
        return bad(c, i, "queue must be 1 to 200 printable characters without space");
    if (job->id && !moil_name_is_valid(slice_str(job->id)))
        return bad(c, i, "id must be 1 to 200 printable characters without space");
    if (job->has_priority && (job->priority < 0 || job->priority >= MOIL_PRIORITIES))
        return bad(c, i, "priority must be 0 to 9");
    if (job->countdown < 0 || !isfinite(job->countdown) || !isfinite(job->eta) ||
        job->countdown > 1e10 || job->eta > 1e11)
        return bad(c, i,
                   "countdown and eta must be times that a calendar knows, countdown not negative");
    if (job->countdown > 0 && job->eta > 0)
        return bad(c, i, "countdown and eta exclude each other");
    if (depth_of(job->args) > DEPTH_MAX + 1 || depth_of(job->kwargs) > DEPTH_MAX)
        return bad(c, i, "args or kwargs: more than 128 levels of nesting");
    if (!is_json(job->args, JSON_ARRAY))
        return bad(c, i, "args must be a JSON array");
    if (!is_json(job->kwargs, JSON_OBJECT))
        return bad(c, i, "kwargs must be a JSON object");
    char why[256];
    if (!moil_depends_check(job, why, sizeof why))
        return bad(c, i, why);
    if (!moil_job_options_check(job->options, why, sizeof why))
        return bad(c, i, why);
    size_t size = (job->args ? strlen(job->args) : 2) + (job->kwargs ? strlen(job->kwargs) : 0) +
                  (job->options ? strlen(job->options) : 0);
    if (size > c->max_payload)
        return moil_client_fail(c, MOIL_STATUS_TOO_LARGE,
                                "job %zu: %zu bytes of arguments, at most %zu are taken", i + 1,
                                size, c->max_payload);
    return 0;
}
