/* A scanner of valid JSON text: finds where values end, and copies them. Pure. */
#include "cli/json_text.h"

#include <jansson.h>
#include <string.h>

#include "cli/output.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_spaces(const char *p, const char *end)
{
    while (p < end && is_space(*p)) {
        p++;
    }
    return p;
}

/* Behind the string that begins at p. */
static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++) {
        if (*p == '\\' && p + 1 < end) {
            p++;
        }
    }
    return p < end ? p + 1 : end;
}

/* Behind the value that begins at p. */
static const char *skip_value(const char *p, const char *end)
{
    size_t depth = 0;
    while (p < end) {
        if (*p == '"') {
            p = skip_string(p, end);
        } else if (*p == '{' || *p == '[') {
            depth++;
            p++;
        } else if (depth > 0 && (*p == '}' || *p == ']')) {
            depth--;
            p++;
        } else if (depth == 0 && (*p == ',' || *p == '}' || *p == ']' || is_space(*p))) {
            return p;
        } else {
            p++;
            continue;
        }
        if (depth == 0) {
            return p;
        }
    }
    return end;
}

bool moil_json_enter(struct json_cursor *c, struct slice text)
{
    c->end = text.p + text.n;
    c->p = skip_spaces(text.p, c->end);
    if (c->p == c->end || (*c->p != '{' && *c->p != '[')) {
        return false;
    }
    c->p++;
    return true;
}

/* Takes `"key":` when it stands there; what it finds to be a string element is left alone. */
static struct slice take_key(struct json_cursor *c)
{
    if (*c->p != '"') {
        return slice_of(NULL, 0);
    }
    const char *start = c->p + 1;
    const char *behind = skip_string(c->p, c->end);
    const char *colon = skip_spaces(behind, c->end);
    if (colon == c->end || *colon != ':') {
        return slice_of(NULL, 0);
    }
    c->p = skip_spaces(colon + 1, c->end);
    return slice_of(start, (size_t)(behind - start) - 1);
}

bool moil_json_next(struct json_cursor *c, struct slice *key, struct slice *value)
{
    c->p = skip_spaces(c->p, c->end);
    if (c->p < c->end && *c->p == ',') {
        c->p = skip_spaces(c->p + 1, c->end);
    }
    if (c->p == c->end || *c->p == '}' || *c->p == ']') {
        return false;
    }
    *key = take_key(c);
    const char *start = c->p;
    c->p = skip_value(start, c->end);
    *value = slice_of(start, (size_t)(c->p - start));
    return value->n > 0;
}

struct slice moil_json_member(struct slice object, const char *key)
{
    struct json_cursor c;
    struct slice name, value;
    if (object.p && moil_json_enter(&c, object)) {
        while (moil_json_next(&c, &name, &value)) {
            if (slice_is(name, key)) {
                return value;
            }
        }
    }
    return slice_of(NULL, 0);
}

void moil_json_add_clean(struct buffer *out, struct slice value)
{
    json_t *v = value.n > 0 && value.p[0] == '"'
                    ? json_loadb(value.p, value.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL)
                    : NULL;
    if (v) {
        moil_output_clean(out, json_string_value(v), json_string_length(v));
        json_decref(v);
    } else {
        moil_json_add_compact(out, value);
    }
}

/* A string as it is but for DEL and U+0080 … U+009F, which terminals obey: they are written as
 * escapes. The other control characters stand as escapes in JSON anyway. */
static void add_string(struct buffer *out, const char *p, const char *end)
{
    const char *start = p;
    for (; p < end; p++) {
        unsigned char c = (unsigned char)*p;
        unsigned char next = p + 1 < end ? (unsigned char)p[1] : 0;
        bool is_c1 = c == 0xc2 && next >= 0x80 && next < 0xa0;
        if (c == 0x7f || is_c1) {
            moil_buffer_add(out, start, (size_t)(p - start));
            moil_buffer_addf(out, "\\u%04x", is_c1 ? next : c);
            p += is_c1;
            start = p + 1;
        }
    }
    moil_buffer_add(out, start, (size_t)(end - start));
}

void moil_json_add_compact(struct buffer *out, struct slice text)
{
    const char *p = text.p, *end = text.p + text.n;
    while (p < end) {
        const char *start = p;
        if (*p == '"') {
            p = skip_string(p, end);
            add_string(out, start, p);
        } else {
            while (p < end && *p != '"' && !is_space(*p)) {
                p++;
            }
            moil_buffer_add(out, start, (size_t)(p - start));
        }
        p = skip_spaces(p, end);
    }
}
