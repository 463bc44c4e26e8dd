/* Entries of a beat schedule: what is understood is due in growing times within its bounds, and its
 * runs carry JSON; what is not is one line. */
#include <jansson.h>
#include <stdlib.h>

#include "beat/entry.h"
#include "fuzz.h"

static void check_json(const char *text, size_t n)
{
    json_t *v = json_loadb(text, n, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    FUZZ_CHECK(v);
    json_decref(v);
}

static void check_entry(const struct entry *e)
{
    const struct schedule *s = &e->schedule;
    struct buffer extra;
    int64_t due = INT64_C(1767225600000);
    for (int i = 0; i < 3 && due != MOIL_NEVER; i++) {
        int64_t next = moil_entry_next(e, due);
        FUZZ_CHECK(next > due && next >= s->start_ms);
        FUZZ_CHECK(next == MOIL_NEVER || next <= s->stop_ms);
        due = next;
    }
    FUZZ_CHECK(moil_entry_next(e, -1) != MOIL_NEVER);
    FUZZ_CHECK(e->task && e->when && e->priority >= -1 && e->priority <= 9);
    check_json(e->args, strlen(e->args));
    moil_buffer_init(&extra);
    moil_entry_extra(e, INT64_C(1767225600000), &extra);
    FUZZ_CHECK(!extra.failed);
    check_json(extra.data, extra.len);
    moil_buffer_fini(&extra);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = fuzz_bytes(data, size);
    char why[600] = "";
    /* A folder with few names in it, as each unknown zone is compared with all. */
    setenv("TZDIR", "/usr/share/zoneinfo/Europe", 0);
    struct zones *zones = moil_zones_new();
    struct entry *e = zones ? moil_entry_parse(zones, "fuzz", text, why, sizeof why) : NULL;
    if (e)
        check_entry(e);
    else
        fuzz_check_line(why, sizeof why);
    moil_entry_free(e);
    moil_zones_free(zones);
    free((char *)text.p);
    return 0;
}
