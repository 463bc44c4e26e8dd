/* Jobs and nodes as JSON for people: whatever Redis holds, what is printed is JSON. */
#include <hiredis/hiredis.h>
#include <jansson.h>
#include <stdlib.h>

#include "fuzz.h"
#include "queue/describe.h"

enum { PARTS = 4 };

static void check_json(struct buffer *out)
{
    json_error_t why;
    json_t *v = json_loadb(out->data, out->len, JSON_ALLOW_NUL, &why);
    FUZZ_CHECK(v);
    json_decref(v);
    moil_buffer_clear(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    redisReply parts[PARTS], *elements[PARTS], array = {.type = REDIS_REPLY_ARRAY};
    struct buffer out;
    for (int i = 0; i < PARTS; i++) { /* record, place, detail, note */
        parts[i] = (redisReply){.type = REDIS_REPLY_STRING};
        size_t len;
        parts[i].str = fuzz_text(&in, '\x1f', &len);
        parts[i].len = len;
        elements[i] = &parts[i];
    }
    array.element = elements;
    array.elements = PARTS;
    const struct reply *reply = (const struct reply *)&array;
    moil_buffer_init(&out);
    FUZZ_CHECK(moil_describe_job(slice_str("id"), reply, &out) == 0);
    check_json(&out);
    moil_describe_nodes(reply, &out);
    check_json(&out);
    moil_describe_queues(reply, &out);
    check_json(&out);
    array.elements = PARTS - 1;
    for (int kind = LISTING_INFLIGHT; kind <= LISTING_DEFERRED; kind++) {
        struct listing_choice choice = {.state = slice_str("STARTED"), .limit = 1};
        moil_buffer_add_char(&out, '[');
        FUZZ_CHECK(moil_describe_list((enum listing)kind, reply, NULL, &out) == 1);
        FUZZ_CHECK(moil_describe_list((enum listing)kind, reply, &choice, &out) == 1);
        moil_buffer_add_char(&out, ']');
        check_json(&out);
    }
    moil_buffer_fini(&out);
    for (int i = 0; i < PARTS; i++)
        free(parts[i].str);
    return 0;
}
