/* Notes of running jobs: state, worker and time are within their bounds, the rest is meta data. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "queue/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = fuzz_bytes(data, size);
    struct note note;
    fuzz_mark(&note, sizeof note);
    if (moil_note_decode(text, &note) == 0) {
        FUZZ_CHECK(note.state.n > 0 && note.state.n <= MOIL_NAME_MAX);
        FUZZ_CHECK(note.worker.n > 0 && note.worker.n <= MOIL_NAME_MAX && note.started_us >= 0);
        FUZZ_CHECK(note.meta.p + note.meta.n == text.p + text.n);
        FUZZ_CHECK(!memchr(note.state.p, '\n', note.state.n));
    } else {
        fuzz_check_marked(&note, sizeof note);
    }
    free((void *)text.p);
    return 0;
}
