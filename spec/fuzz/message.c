/* J records: what is decoded and encoded again says the same; what is refused leaves no trace. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "queue/message.h"

static void check_same(const struct job *a, const struct job *b)
{
    FUZZ_CHECK(slice_eq(a->task, b->task) && slice_eq(a->queue, b->queue));
    FUZZ_CHECK(slice_eq(a->args, b->args) && slice_eq(a->kwargs, b->kwargs));
    FUZZ_CHECK(slice_eq(a->extra, b->extra) && a->priority == b->priority);
    FUZZ_CHECK(a->retries == b->retries && a->crashes == b->crashes && a->losses == b->losses);
    FUZZ_CHECK(a->enqueued_us == b->enqueued_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice record = fuzz_bytes(data, size);
    struct job job, head, again;
    struct buffer text;
    fuzz_mark(&job, sizeof job);
    fuzz_mark(&head, sizeof head);
    int head_err = moil_message_decode_header(record, &head);
    moil_buffer_init(&text);
    if (moil_message_decode(record, &job) != 0) {
        fuzz_check_marked(&job, sizeof job);
    } else {
        FUZZ_CHECK(head_err == 0 && slice_eq(head.task, job.task) && head.retries == job.retries);
        moil_message_encode(&job, &text);
        FUZZ_CHECK(moil_message_decode(moil_buffer_slice(&text), &again) == 0);
        check_same(&job, &again);
        FUZZ_CHECK(again.verdict.n == 0);
    }
    moil_buffer_fini(&text);
    free((void *)record.p);
    return 0;
}
