/* Beat entries and ticks as JSON for people: whatever Redis holds, what is told is JSON. */
#include <hiredis/hiredis.h>
#include <jansson.h>
#include <stdlib.h>

#include "fuzz.h"
#include "worker/beat_request.h"

enum { PARTS = 6 };

static void check_verb(enum vm_beat_verb verb, const struct reply *reply)
{
    char why[512] = "";
    struct beat_request request;
    struct buffer out;
    struct vm_beat ask = {.verb = verb, .name = slice_str(verb == VM_BEAT_HISTORY ? "" : "fuzz")};
    FUZZ_CHECK(moil_beat_request_init(&request, &ask, why, sizeof why) == 0);
    moil_buffer_init(&out);
    if (moil_beat_request_answer(&request, reply, &out) == 0) {
        json_t *v = json_loadb(out.data, out.len, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
        FUZZ_CHECK(v);
        json_decref(v);
    }
    moil_buffer_fini(&out);
    moil_beat_request_fini(&request);
}

/* An entry to be put: it is taken and stored as JSON, or refused with one line. */
static void check_put(struct slice text)
{
    char why[512] = "";
    struct beat_request request;
    struct vm_beat ask = {.verb = VM_BEAT_PUT, .name = slice_str("fuzz"), .text = text};
    if (moil_beat_request_init(&request, &ask, why, sizeof why) == 0) {
        json_t *v = json_loadb(request.entry.data, request.entry.len, JSON_ALLOW_NUL, NULL);
        FUZZ_CHECK(json_is_object(v) && !json_object_get(v, "paused"));
        json_decref(v);
    } else {
        fuzz_check_line(why, sizeof why);
    }
    moil_beat_request_fini(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    redisReply parts[PARTS], *elements[PARTS], array = {.type = REDIS_REPLY_ARRAY};
    setenv("TZDIR", "/usr/share/zoneinfo/Europe", 0);
    for (int i = 0; i < PARTS; i++) { /* cursor, version, now, name, entry, state */
        size_t len;
        parts[i] = (redisReply){.type = REDIS_REPLY_STRING};
        parts[i].str = fuzz_text(&in, '\x1f', &len);
        parts[i].len = len;
        elements[i] = &parts[i];
    }
    array.element = elements;
    array.elements = PARTS;
    const struct reply *reply = (const struct reply *)&array;
    check_verb(VM_BEAT_REMOVE, reply);
    check_verb(VM_BEAT_PAUSE, reply);
    check_verb(VM_BEAT_LIST, reply);
    check_verb(VM_BEAT_HISTORY, reply);
    const char *space = strchr(parts[4].str, ' ');
    check_put(slice_str(space ? space + 1 : parts[4].str));
    for (int i = 0; i < PARTS; i++)
        free(parts[i].str);
    return 0;
}
