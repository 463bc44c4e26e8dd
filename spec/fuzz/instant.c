/* Points in time: what is understood and written again by the C library is the same second. */
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "conf/instant.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    char *text = fuzz_text(&in, '\0', NULL), again[64];
    double v = -7, w = -7;
    if (moil_instant_parse(text, &v) == 0) {
        FUZZ_CHECK(isfinite(v) && v >= 0 && v < 253402300800.0 + 2 * 86400);
        time_t second = (time_t)floor(v);
        struct tm parts;
        if (second < (time_t)253402300800) {
            strftime(again, sizeof again, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&second, &parts));
            FUZZ_CHECK(moil_instant_parse(again, &w) == 0 && w == (double)second);
        }
    } else {
        FUZZ_CHECK(v == -7);
    }
    free(text);
    return 0;
}
