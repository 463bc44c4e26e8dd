/* uthash as moil uses it; include this instead of <uthash.h>.
 *
 * It neither exits when memory is short (uthash's default), nor warns under clang: after HASH_ADD…,
 * an item whose hh.tbl is NULL was not added, for want of memory. */
#ifndef MOIL_BASE_HASH_H
#define MOIL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Eight bytes at a time: ids and names are 10 to 40 bytes long. */
static inline unsigned moil_hash(const void *key, size_t len)
{
    const unsigned char *p = key;
    uint64_t h = len;

    while (len > 0) {
        size_t n = len < 8 ? len : 8;
        uint64_t word = 0;

        memcpy(&word, p, n);
        h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15); /* 2^64 divided by the golden ratio */
        h ^= h >> 29;
        p += n;
        len -= n;
    }
    return (unsigned)(h ^ (h >> 32));
}

#define HASH_NONFATAL_OOM                    1
#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = moil_hash((keyptr), (keylen)))

#include <uthash.h>

#endif
