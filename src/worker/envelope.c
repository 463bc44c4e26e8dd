/* envelope.c: see envelope.h. */
#include "worker/envelope.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json_dump.h"
#include "base/mem.h"

/* A number as a double; `absent` when there is none; NAN when it is something else. */
static double number_of(const json_t *object, const char *key, double absent)
{
    const json_t *v = json_object_get(object, key);
    if (!v || json_is_null(v))
        return absent;
    return json_is_number(v) ? json_number_value(v) : NAN;
}

/* A limit in seconds: false means none (-1). */
static double limit_of(const json_t *object, const char *key)
{
    return json_is_false(json_object_get(object, key)) ? -1 : number_of(object, key, 0);
}

/* False when there is something else than a group's id. */
static bool read_gather(const json_t *object, char *out)
{
    const json_t *v = json_object_get(object, "gather");
    struct slice id = slice_of(json_string_value(v), json_string_length(v));
    out[0] = '\0';
    if (!v || json_is_null(v))
        return true;
    if (!id.p || !moil_name_is_valid(id))
        return false;
    memcpy(out, id.p, id.n);
    out[id.n] = '\0';
    return true;
}

int moil_envelope_decode(struct slice extra, struct envelope *out)
{
    *out = (struct envelope){.result_ttl_s = -1, .ignore_result = -1};
    if (extra.n == 0)
        return 0;
    json_t *object = json_loadb(extra.p, extra.n, JSON_ALLOW_NUL, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        return MOIL_EBADMSG;
    }
    const json_t *ttl = json_object_get(object, "result_ttl"),
                 *ignore = json_object_get(object, "ignore_result");
    struct envelope e;
    e.time_limit_s = limit_of(object, "time_limit");
    e.soft_time_limit_s = limit_of(object, "soft_time_limit");
    e.expires_s = number_of(object, "expires", 0);
    e.result_ttl_s = json_is_false(ttl) ? INFINITY : number_of(object, "result_ttl", -1);
    e.ignore_result = json_is_boolean(ignore) ? json_is_true(ignore) : -1;
    e.linked = json_is_true(json_object_get(object, "linked"));
    bool gathers = read_gather(object, e.gather);
    double since = number_of(object, "unregistered_ms", 0);
    json_decref(object);
    if (!gathers || isnan(e.expires_s) || isnan(e.result_ttl_s) || isnan(e.time_limit_s) ||
        isnan(e.soft_time_limit_s) || !(since >= 0 && since < 1e15))
        return MOIL_EBADMSG;
    e.unregistered_ms = (int64_t)since;
    *out = e;
    return 0;
}

static int give(json_t *object, struct buffer *out)
{
    char *text = moil_json_dump(object, JSON_COMPACT);
    json_decref(object);
    if (!text)
        return MOIL_ENOMEM;
    moil_buffer_add_str(out, text);
    moil_mem_free(text);
    return out->failed ? MOIL_ENOMEM : 0;
}

int moil_envelope_mark_unregistered(struct slice extra, int64_t since_ms, struct buffer *out)
{
    json_t *object = extra.n ? json_loadb(extra.p, extra.n, JSON_ALLOW_NUL, NULL) : json_object();
    json_object_set_new(object, "unregistered_ms", json_integer(since_ms));
    return give(object, out);
}

int moil_envelope_unmark(struct slice extra, struct buffer *out)
{
    json_t *object = json_loadb(extra.p, extra.n, JSON_ALLOW_NUL, NULL);
    json_object_del(object, "unregistered_ms");
    if (object && json_object_size(object) == 0) {
        json_decref(object);
        return 0;
    }
    return give(object, out);
}
