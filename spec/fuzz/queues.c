/* Queue specs: names are valid and apart, and an order has each of them once. */
#include <stdlib.h>

#include "fuzz.h"
#include "worker/queues.h"

static struct input lots;

static void check_order(const struct queue_set *set)
{
    struct slice order[MOIL_QUEUES_MAX];
    unsigned short lot[3] = {fuzz_byte(&lots), fuzz_byte(&lots), fuzz_byte(&lots)};
    FUZZ_CHECK(set->count > 0 && set->count <= MOIL_QUEUES_MAX);
    moil_queues_order(set, lot, order);
    for (size_t i = 0; i < set->count; i++) {
        size_t found = 0;
        FUZZ_CHECK(moil_name_is_valid(set->names[i]));
        FUZZ_CHECK(set->weighted ? set->weights[i] > 0 && set->weights[i] <= MOIL_WEIGHT_MAX
                                 : set->weights[i] == 0);
        for (size_t k = 0; k < set->count; k++)
            found += slice_eq(order[k], set->names[i]);
        FUZZ_CHECK(found == 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    char *spec = fuzz_text(&in, '\0', NULL), why[256] = "";
    struct queue_set set;
    lots = (struct input){data, size};
    if (moil_queues_parse(&set, spec, why, sizeof why) == 0) {
        check_order(&set);
        moil_queues_fini(&set);
    } else {
        fuzz_check_line(why, sizeof why);
    }
    free(spec);
    return 0;
}
