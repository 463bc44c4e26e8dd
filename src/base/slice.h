/* A borrowed run of bytes. It owns nothing, need not end in NUL, and lives as long as what it
 * points into. */
#ifndef MOIL_BASE_SLICE_H
#define MOIL_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *p; /* NULL: absent (nil), which is not the same as empty */
    size_t n;
};

static inline struct slice slice_of(const char *p, size_t n)
{
    return (struct slice){p, n};
}

static inline struct slice slice_str(const char *s)
{
    return (struct slice){s, s ? strlen(s) : 0};
}

static inline bool slice_is(struct slice a, const char *s)
{
    return a.p && strlen(s) == a.n && memcmp(a.p, s, a.n) == 0;
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

#endif
