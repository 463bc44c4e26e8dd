/* A job's rarer fields: what a client may send, a worker understands. */
#include <stdlib.h>
#include <string.h>

#include "api/job_options.h"
#include "base/buffer.h"
#include "base/error.h"
#include "fuzz.h"
#include "worker/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice extra = fuzz_bytes(data, size);
    struct input in = {data, size};
    char *text = fuzz_text(&in, '\0', NULL), why[256] = "";
    struct envelope e, again;
    struct buffer marked;
    int err = moil_envelope_decode(extra, &e);
    FUZZ_CHECK(err == 0 || err == MOIL_EBADMSG);
    if (err == 0) {
        moil_buffer_init(&marked);
        FUZZ_CHECK(moil_envelope_mark_unregistered(extra, 1767225600000, &marked) == 0);
        FUZZ_CHECK(moil_envelope_decode(moil_buffer_slice(&marked), &again) == 0);
        FUZZ_CHECK(again.unregistered_ms == 1767225600000);
        FUZZ_CHECK(again.expires_s == e.expires_s && again.result_ttl_s == e.result_ttl_s);
        FUZZ_CHECK(again.time_limit_s == e.time_limit_s && again.ignore_result == e.ignore_result);
        moil_buffer_fini(&marked);
    }
    if (moil_job_options_check(text, why, sizeof why))
        FUZZ_CHECK(moil_envelope_decode(slice_str(text), &again) == 0);
    else
        fuzz_check_line(why, sizeof why);
    free(text);
    free((void *)extra.p);
    return 0;
}
