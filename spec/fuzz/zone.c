/* TZif files: whatever they say, each instant lies in its span, and a local time comes after an
 * instant exactly where the clock had not reached it by then. */
#include <stdlib.h>

#include "beat/zone.h"
#include "fuzz.h"

static void check_instant(const struct zone *z, int64_t instant, int64_t local)
{
    struct zone_span span = moil_zone_span(z, instant);
    FUZZ_CHECK(span.from <= instant && instant < span.until);
    FUZZ_CHECK(moil_zone_reached(z, instant) >= instant + span.offset);
    FUZZ_CHECK((moil_zone_first(z, local) > instant) == (local > moil_zone_reached(z, instant)));
}

static void check_zone(const struct zone *z, struct input in)
{
    for (int i = 0; i < 4; i++) {
        int64_t instant = 0;
        for (int k = 0; k < 5; k++)
            instant = instant << 8 | fuzz_byte(&in);
        instant %= INT64_C(253402300800);
        check_instant(z, instant, instant + (int64_t)fuzz_byte(&in) * 700 - 90000);
        struct zone_span span = moil_zone_span(z, instant);
        if (span.until < INT64_C(253402300800) && span.until > 0)
            check_instant(z, span.until, span.until + span.offset + fuzz_byte(&in));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = fuzz_bytes(data, size);
    char why[256] = "";
    struct zone *z = moil_zone_decode("Fuzz/Zone", bytes, why, sizeof why);
    if (z)
        check_zone(z, (struct input){data, size});
    else
        fuzz_check_line(why, sizeof why);
    moil_zone_free(z);
    free((char *)bytes.p);
    return 0;
}
