/* zone.c: see zone.h. The format is that of RFC 8536; zone_rule.c has the rule behind the list,
 * zone_file.c finds the files. */
#include "beat/zone.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "beat/zone_rule.h"

enum {
    HEADER = 44,
    TYPE = 6,
    /* The database's zones have 236 changes at most. */
    CHANGES_MAX = 4000,
    TYPES_MAX = 256,
    NAMES_MAX = 1024,
    OFFSET_MAX = 26 * 3600, /* RFC 8536: -25:59:59 to 25:59:59 should be enough */
};

/* Instants beyond are taken for these: no schedule goes there, and sums cannot overflow. */
#define FAR (INT64_C(1) << 40)

struct zone {
    char name[ZONE_NAME_MAX + 1];
    bool has_rule;
    struct zone_rule rule;
    int first_offset; /* before the first change */
    size_t count;
    int64_t *changes; /* instants, growing */
    int *offsets;     /* from each change on */
};

/* --- decoding -------------------------------------------------------------------------------- */

/* What is left of the bytes; short reads make it fail for good. */
struct reader {
    const unsigned char *p;
    size_t n;
    bool failed;
};

static const unsigned char *take(struct reader *r, size_t n)
{
    if (r->failed || n > r->n) {
        r->failed = true;
        return NULL;
    }
    const unsigned char *p = r->p;
    r->p += n;
    r->n -= n;
    return p;
}

static int64_t big_endian(const unsigned char *p, int bytes)
{
    uint64_t v = p[0] & 0x80 ? UINT64_MAX : 0;
    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

struct header {
    int version; /* 0 (for 1), 2, 3, 4 */
    size_t utc_flags, standard_flags, leaps, changes, types, names;
};

static const char *read_header(struct reader *r, struct header *out)
{
    size_t *const counts[] = {&out->utc_flags, &out->standard_flags, &out->leaps,
                              &out->changes,   &out->types,          &out->names};
    const unsigned char *p = take(r, HEADER);
    if (!p || memcmp(p, "TZif", 4) != 0)
        return "is no TZif file";
    out->version = p[4] ? p[4] - '0' : 0;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        int64_t v = big_endian(p + 20 + i * 4, 4);
        if (v < 0 || v > CHANGES_MAX)
            return "has impossible counts";
        *counts[i] = (size_t)v;
    }
    if (out->types < 1 || out->types > TYPES_MAX || out->names > NAMES_MAX)
        return "has impossible counts";
    return out->leaps > 0 ? "counts leap seconds, which schedules do not" : NULL;
}

static void skip_block(struct reader *r, const struct header *h)
{
    take(r, h->changes * 5 + h->types * TYPE + h->names + h->standard_flags + h->utc_flags);
}

static const char *read_changes(struct zone *z, const unsigned char *instants, int width)
{
    for (size_t i = 0; i < z->count; i++) {
        z->changes[i] = big_endian(instants + i * (size_t)width, width);
        if (i > 0 && z->changes[i] <= z->changes[i - 1])
            return "has changes out of order";
    }
    return NULL;
}

/* indexes: the type of each change; types: offset (4 bytes), is summer, name. */
static const char *read_offsets(struct zone *z, const unsigned char *indexes,
                                const unsigned char *types, size_t type_count)
{
    for (size_t i = 0; i < type_count; i++) {
        int64_t offset = big_endian(types + i * TYPE, 4);
        if (offset <= -OFFSET_MAX || offset >= OFFSET_MAX)
            return "has an impossible offset";
    }
    z->first_offset = (int)big_endian(types, 4);
    for (size_t i = 0; i < z->count; i++) {
        if (indexes[i] >= type_count)
            return "names a type that it does not have";
        z->offsets[i] = (int)big_endian(types + (size_t)indexes[i] * TYPE, 4);
    }
    return NULL;
}

static const char *read_block(struct reader *r, const struct header *h, int width, struct zone *z)
{
    const unsigned char *instants = take(r, h->changes * (size_t)width);
    const unsigned char *indexes = take(r, h->changes);
    const unsigned char *types = take(r, h->types * TYPE);
    take(r, h->names + h->standard_flags + h->utc_flags);
    if (r->failed)
        return "is cut short";
    z->count = h->changes;
    z->changes = moil_mem_zalloc(z->count + 1, sizeof *z->changes);
    z->offsets = moil_mem_zalloc(z->count + 1, sizeof *z->offsets);
    if (!z->changes || !z->offsets)
        return "out of memory";
    const char *wrong = read_changes(z, instants, width);
    return wrong ? wrong : read_offsets(z, indexes, types, h->types);
}

/* The rule between two newlines; none means that the last offset stays. */
static const char *read_rule(struct reader *r, struct zone *z)
{
    const unsigned char *begin = take(r, 1);
    const unsigned char *end = begin && *begin == '\n' ? memchr(r->p, '\n', r->n) : NULL;
    if (!end)
        return "is cut short";
    struct slice text = slice_of((const char *)r->p, (size_t)(end - r->p));
    z->has_rule = text.n > 0;
    if (z->has_rule && !moil_zone_rule_parse(text, &z->rule))
        return "ends in a rule that is none";
    return NULL;
}

static const char *decode(struct slice bytes, struct zone *z)
{
    struct reader r = {(const unsigned char *)bytes.p, bytes.n, bytes.n == 0};
    struct header h;
    const char *wrong = read_header(&r, &h);
    if (wrong || h.version < 2)
        return wrong ? wrong : read_block(&r, &h, 4, z);
    skip_block(&r, &h);
    wrong = read_header(&r, &h);
    if (!wrong)
        wrong = read_block(&r, &h, 8, z);
    return wrong ? wrong : read_rule(&r, z);
}

struct zone *moil_zone_decode(const char *name, struct slice bytes, char *errstr, size_t errlen)
{
    struct zone *z = moil_mem_zalloc(1, sizeof *z);
    if (!z) {
        snprintf(errstr, errlen, "out of memory");
        return NULL;
    }
    snprintf(z->name, sizeof z->name, "%s", name);
    const char *wrong = decode(bytes, z);
    if (wrong) {
        snprintf(errstr, errlen, "the file of time zone \"%s\" %s", z->name, wrong);
        moil_zone_free(z);
        return NULL;
    }
    return z;
}

void moil_zone_free(struct zone *z)
{
    if (!z)
        return;
    moil_mem_free(z->changes);
    moil_mem_free(z->offsets);
    moil_mem_free(z);
}

const char *moil_zone_name(const struct zone *z)
{
    return z->name;
}

/* --- asking ---------------------------------------------------------------------------------- */

/* How many of the listed changes an instant has behind it. */
static size_t changes_before(const struct zone *z, int64_t instant)
{
    size_t low = 0, high = z->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (z->changes[middle] <= instant)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct zone_span moil_zone_span(const struct zone *z, int64_t instant)
{
    instant = instant > FAR ? FAR : instant < -FAR ? -FAR : instant;
    size_t i = changes_before(z, instant);
    struct zone_span span = {
        .from = i > 0 ? z->changes[i - 1] : INT64_MIN,
        .until = i < z->count ? z->changes[i] : INT64_MAX,
        .offset = i > 0 ? z->offsets[i - 1] : z->first_offset,
    };
    if (i < z->count || !z->has_rule)
        return span;
    struct zone_span ruled = moil_zone_rule_span(&z->rule, instant);
    if (ruled.from < span.from)
        ruled.from = span.from;
    return ruled;
}

int64_t moil_zone_reached(const struct zone *z, int64_t instant)
{
    struct zone_span span = moil_zone_span(z, instant);
    int64_t furthest = instant + span.offset;
    /* No clock is set back by more than two such offsets. */
    while (span.from > -FAR && instant - span.from <= 2 * OFFSET_MAX) {
        int64_t before = span.from - 1;
        span = moil_zone_span(z, before);
        if (before + span.offset > furthest)
            furthest = before + span.offset;
    }
    return furthest;
}

int64_t moil_zone_first(const struct zone *z, int64_t local)
{
    int64_t instant = local - OFFSET_MAX; /* its clock shows less than `local` yet */
    for (;;) {
        struct zone_span span = moil_zone_span(z, instant);
        int64_t shown = local - span.offset;
        if (shown < instant)
            shown = instant;
        if (shown < span.until || span.until > FAR)
            return shown;
        instant = span.until;
    }
}
