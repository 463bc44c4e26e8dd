/* Cron expressions: what is understood has matches that grow, the same from any moment between two;
 * what is not leaves its output alone. */
#include <stdlib.h>

#include "beat/calendar.h"
#include "beat/cron.h"
#include "fuzz.h"

static void check_matches(const struct cron *c, int64_t local)
{
    int64_t first = moil_cron_next(c, local);
    FUZZ_CHECK(first > local);
    if (first == INT64_MAX)
        return;
    int64_t second = moil_cron_next(c, first);
    FUZZ_CHECK(first < CALENDAR_END_S && second > first);
    FUZZ_CHECK(moil_cron_next(c, first - 1) == first);
    FUZZ_CHECK(second == INT64_MAX || moil_cron_next(c, first + (second - first) / 2) == second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    char why[256] = "";
    struct cron c;
    int64_t local = 0;
    for (int i = 0; i < 5; i++)
        local = local << 8 | fuzz_byte(&in);
    char *text = fuzz_text(&in, '\0', NULL);
    fuzz_mark(&c, sizeof c);
    if (moil_cron_parse(text, &c, why, sizeof why) == 0) {
        check_matches(&c, local % CALENDAR_END_S);
        check_matches(&c, INT64_MIN);
        FUZZ_CHECK(moil_cron_next(&c, INT64_MAX - 1) == INT64_MAX);
    } else {
        fuzz_check_marked(&c, sizeof c);
        fuzz_check_line(why, sizeof why);
    }
    free(text);
    return 0;
}
