/* The audit: whatever the counters are, what is printed is JSON, and the differences are as many as
 * it says. */
#include <hiredis/hiredis.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "queue/audit.h"

enum { PARTS_MAX = 32 };

/* Texts between separators; where one has the separator below in it, an array of what is between
 * those. */
static redisReply parse(struct input *in, char separator)
{
    redisReply r = {.type = REDIS_REPLY_ARRAY};
    r.element = calloc(PARTS_MAX, sizeof *r.element);
    while (in->n > 0 && r.elements < PARTS_MAX) {
        size_t len;
        redisReply *part = calloc(1, sizeof *part);
        char *text = fuzz_text(in, separator, &len);
        struct input inner = {(const uint8_t *)text, len};
        if (separator == '\n' && memchr(text, ' ', len)) {
            *part = parse(&inner, ' ');
            free(text);
        } else {
            part->type = REDIS_REPLY_STRING;
            part->str = text;
            part->len = len;
        }
        r.element[r.elements++] = part;
    }
    return r;
}

static void drop(redisReply *r)
{
    for (size_t i = 0; i < r->elements; i++) {
        drop(r->element[i]);
        free(r->element[i]);
    }
    free(r->element);
    free(r->str);
}

static json_t *load(struct buffer *text, const char *before, const char *after)
{
    struct buffer all;
    moil_buffer_init(&all);
    moil_buffer_add_str(&all, before);
    moil_buffer_add_slice(&all, moil_buffer_slice(text));
    moil_buffer_add_str(&all, after);
    json_t *v = json_loadb(all.data, all.len, JSON_ALLOW_NUL, NULL);
    FUZZ_CHECK(v);
    moil_buffer_fini(&all);
    return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    redisReply reply = parse(&in, '\n');
    struct buffer out, differences;
    moil_buffer_init(&out);
    moil_buffer_init(&differences);
    bool legible;
    int count = moil_audit_describe((const struct reply *)&reply, &out, &differences, &legible);
    if (count >= 0) {
        json_t *members = load(&out, "{", "}"), *list = load(&differences, "[", "null]");
        FUZZ_CHECK(json_array_size(list) == (size_t)count + 1);
        json_decref(members);
        json_decref(list);
    }
    moil_buffer_fini(&out);
    moil_buffer_fini(&differences);
    drop(&reply);
    return 0;
}
