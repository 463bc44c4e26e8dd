/* R records, the ends of jobs: what is decoded and encoded again is the same text. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "queue/message.h"

static void check_again(const struct outcome_record *o)
{
    struct outcome_record again;
    struct buffer text, text_again;
    moil_buffer_init(&text);
    moil_buffer_init(&text_again);
    moil_outcome_encode(o, &text);
    FUZZ_CHECK(moil_record_is_outcome(moil_buffer_slice(&text)));
    FUZZ_CHECK(moil_outcome_decode(moil_buffer_slice(&text), &again) == 0);
    FUZZ_CHECK(slice_eq(o->value, again.value) && slice_eq(o->body, again.body));
    FUZZ_CHECK(slice_eq(o->state, again.state) && o->expires_min == again.expires_min);
    moil_outcome_encode(&again, &text_again);
    FUZZ_CHECK(slice_eq(moil_buffer_slice(&text), moil_buffer_slice(&text_again)));
    moil_buffer_fini(&text);
    moil_buffer_fini(&text_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice record = fuzz_bytes(data, size);
    struct outcome_record o;
    fuzz_mark(&o, sizeof o);
    if (moil_outcome_decode(record, &o) == 0)
        check_again(&o);
    else
        fuzz_check_marked(&o, sizeof o);
    free((void *)record.p);
    return 0;
}
