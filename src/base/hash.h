/* uthash as moil uses it; include this instead of <uthash.h>.
 *
 * It neither exits when memory is short (uthash's default), nor warns under clang: after HASH_ADD…,
 * an item whose hh.tbl is NULL was not added, for want of memory. */
#ifndef MOIL_BASE_HASH_H
#define MOIL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

/* Eight bytes at a time, as ids and names are 10 to 40 bytes long. Multiplying carries upwards
 * only, so the shifts bring the high bits down; both factors are odd and without pattern. */
static inline unsigned moil_hash(const void *key, size_t len)
{
    const unsigned char *p = key;
    uint64_t h = len * UINT64_C(0xd6e8feb86659fd93);

    while (len > 0) {
        size_t n = len < 8 ? len : 8;
        uint64_t word = 0;

        memcpy(&word, p, n);
        h ^= word;
        h = (h ^ (h >> 32)) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
        p += n;
        len -= n;
    }
    h *= UINT64_C(0xd6e8feb86659fd93);
    return (unsigned)(h ^ (h >> 32));
}

#define HASH_NONFATAL_OOM                    1
#define uthash_malloc(size)                  moil_mem_alloc(size)
#define uthash_free(p, size)                 moil_mem_free(p)
#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = moil_hash((keyptr), (keylen)))

#include <uthash.h>

#endif
