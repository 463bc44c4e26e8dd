/* snapshot.c: records one after the other, and a hash over them. See snapshot.h.
 *
 * A record: {kind, name length, value length}, the kind's letter and the name, NUL, padding to 8,
 * the value, NUL, padding to 8. The letter and the name are the hash's key, where they lie. */
#include "vm/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/mem.h"

struct header {
    uint32_t kind;
    uint32_t name_len;
    uint64_t value_len;
};

struct place {
    UT_hash_handle hh;
    struct slice value;
};

struct snapshot {
    struct slice bytes;
    bool mapped;
    struct place *places; /* by kind and name */
};

static const char letters[SNAPSHOT_KINDS] = {'d', 'r', 'l', 'p', 's'};

static size_t padded(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void pad(struct buffer *b)
{
    static const char zeros[8];
    moil_buffer_add(b, zeros, padded(b->len) - b->len);
}

void moil_snapshot_add(struct buffer *draft, enum snapshot_kind kind, struct slice name,
                       struct slice value)
{
    struct header head = {
        .kind = kind, .name_len = (uint32_t)name.n, .value_len = (uint64_t)value.n};
    moil_buffer_add(draft, &head, sizeof head);
    moil_buffer_add_char(draft, letters[kind]);
    moil_buffer_add_slice(draft, name);
    moil_buffer_add_char(draft, '\0');
    pad(draft);
    moil_buffer_add_slice(draft, value);
    moil_buffer_add_char(draft, '\0');
    pad(draft);
}

int moil_snapshot_write(const struct buffer *draft, int fd)
{
    if (draft->failed)
        return MOIL_ENOMEM;
    if (draft->len > MOIL_SNAPSHOT_MAX)
        return MOIL_ETOOLARGE;
    for (size_t at = 0; at < draft->len;) {
        ssize_t n = pwrite(fd, draft->data + at, draft->len - at, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return MOIL_ESYS;
        at += (size_t)n;
    }
    return 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The record at *at, which moves behind it. False at the end, and at what is no record. */
static bool read_record(struct slice bytes, size_t *at, struct snapshot_entry *entry)
{
    struct header head;
    size_t left = bytes.n - *at;
    if (left < sizeof head)
        return false;
    memcpy(&head, bytes.p + *at, sizeof head);
    left -= sizeof head;
    size_t name_size = padded((size_t)head.name_len + 2);
    if (head.kind >= SNAPSHOT_KINDS || name_size > left || head.value_len >= left - name_size)
        return false;
    size_t value_size = padded((size_t)head.value_len + 1);
    if (value_size > left - name_size)
        return false;
    const char *name = bytes.p + *at + sizeof head + 1, *value = name - 1 + name_size;
    if (name[-1] != letters[head.kind] || name[head.name_len] || value[head.value_len])
        return false;
    *entry = (struct snapshot_entry){
        .kind = (enum snapshot_kind)head.kind,
        .name = slice_of(name, head.name_len),
        .value = slice_of(value, (size_t)head.value_len),
    };
    *at += sizeof head + name_size + value_size;
    return true;
}

static bool index_entry(struct snapshot *s, const struct snapshot_entry *entry)
{
    struct place *place;
    const char *key = entry->name.p - 1; /* the letter */
    HASH_FIND(hh, s->places, key, entry->name.n + 1, place);
    if (place)
        return true;
    if (!(place = moil_mem_zalloc(1, sizeof *place)))
        return false;
    place->value = entry->value;
    HASH_ADD_KEYPTR(hh, s->places, key, entry->name.n + 1, place);
    if (!place->hh.tbl) {
        moil_mem_free(place);
        return false;
    }
    return true;
}

struct snapshot *moil_snapshot_new(struct slice bytes)
{
    struct snapshot *s = moil_mem_zalloc(1, sizeof *s);
    struct snapshot_entry entry;
    size_t at = 0;
    if (!s)
        return NULL;
    s->bytes = bytes;
    bool ok = true;
    while (ok && read_record(bytes, &at, &entry))
        ok = index_entry(s, &entry);
    if (!ok || at != bytes.n) {
        moil_snapshot_free(s);
        return NULL;
    }
    return s;
}

struct snapshot *moil_snapshot_map(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return NULL;
    errno = 0;
    if (st.st_size <= 0 || st.st_size > MOIL_SNAPSHOT_MAX)
        return NULL;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return NULL;
    struct snapshot *s = moil_snapshot_new(slice_of(p, (size_t)st.st_size));
    if (s)
        s->mapped = true;
    else
        munmap(p, (size_t)st.st_size);
    return s;
}

void moil_snapshot_free(struct snapshot *s)
{
    struct place *place, *next;
    if (!s)
        return;
    place = s->places;
    HASH_CLEAR(hh, s->places);
    for (; place; place = next) {
        next = place->hh.next;
        moil_mem_free(place);
    }
    if (s->mapped)
        munmap((void *)(uintptr_t)s->bytes.p, s->bytes.n);
    moil_mem_free(s);
}

bool moil_snapshot_find(const struct snapshot *s, enum snapshot_kind kind, struct slice name,
                        struct slice *value)
{
    struct place *place;
    char small[512], *key = name.n < sizeof small ? small : moil_mem_alloc(name.n + 1);
    if (!key)
        return false;
    key[0] = letters[kind];
    memcpy(key + 1, name.p, name.n);
    HASH_FIND(hh, s->places, key, name.n + 1, place);
    if (key != small)
        moil_mem_free(key);
    if (place)
        *value = place->value;
    return place != NULL;
}

bool moil_snapshot_next(const struct snapshot *s, size_t *at, struct snapshot_entry *entry)
{
    return read_record(s->bytes, at, entry);
}
