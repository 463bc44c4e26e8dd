/* Snapshots: what is taken for one has all its names and values within its bytes, each with a NUL
 * behind it, and drawn up again it says the same. */
#include <stdlib.h>

#include "fuzz.h"
#include "vm/snapshot.h"

static void check_entries(const struct snapshot *s, struct slice bytes)
{
    struct snapshot_entry entry, first;
    struct buffer draft;
    size_t at = 0, at_again = 0;
    moil_buffer_init(&draft);
    while (moil_snapshot_next(s, &at, &entry)) {
        const char *end = bytes.p + bytes.n;
        FUZZ_CHECK(entry.name.p + entry.name.n < end && entry.name.p[entry.name.n] == '\0');
        FUZZ_CHECK(entry.value.p + entry.value.n < end && entry.value.p[entry.value.n] == '\0');
        FUZZ_CHECK(moil_snapshot_find(s, entry.kind, entry.name, &first.value));
        moil_snapshot_add(&draft, entry.kind, entry.name, entry.value);
    }
    FUZZ_CHECK(at == bytes.n && draft.len == bytes.n);
    struct snapshot *again = moil_snapshot_new(moil_buffer_slice(&draft));
    FUZZ_CHECK(again);
    for (at = 0; moil_snapshot_next(s, &at, &entry);) {
        FUZZ_CHECK(moil_snapshot_next(again, &at_again, &first) && entry.kind == first.kind);
        FUZZ_CHECK(slice_eq(entry.name, first.name) && slice_eq(entry.value, first.value));
    }
    moil_snapshot_free(again);
    moil_buffer_fini(&draft);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = fuzz_bytes(data, size);
    struct snapshot *s = moil_snapshot_new(bytes);
    if (s)
        check_entries(s, bytes);
    moil_snapshot_free(s);
    free((void *)bytes.p);
    return 0;
}
