/* audit.c: see audit.h. A queue's counters are a name and a number each; what they mean stands in
 * the table below. */
#include "queue/audit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/job.h"

/* Where a counter goes in the sum: enqueued = what waits + what has left. */
enum part {
    PART_ENQUEUED,
    PART_PLACE,     /* where a job may be now */
    PART_ENDED,     /* how many ended so, ever */
    PART_DISCARDED, /* how many were taken away so, ever */
    PART_NOTE,      /* in no sum */
};

struct counter {
    const char *name; /* in Redis */
    const char *key;  /* in JSON */
    enum part part;
};

static const struct counter counters[] = {
    {"enqueued", "enqueued", PART_ENQUEUED}, {"pending", "pending", PART_PLACE},
    {"delayed", "delayed", PART_PLACE},      {"deferred", "deferred", PART_PLACE},
    {"inflight", "in_flight", PART_PLACE},   {"dead", "dead", PART_PLACE},
    {"SUCCESS", "SUCCESS", PART_ENDED},      {"FAILURE", "FAILURE", PART_ENDED},
    {"REVOKED", "REVOKED", PART_ENDED},      {"IGNORED", "IGNORED", PART_ENDED},
    {"purged", "purged", PART_DISCARDED},    {"deleted", "deleted", PART_DISCARDED},
    {"trimmed", "trimmed", PART_DISCARDED},  {"replayed", "replayed", PART_NOTE},
    {"stale", "stale", PART_NOTE},
};

enum {
    COUNTERS = sizeof counters / sizeof *counters,
    PENDING = 1, /* rows of the table */
    DELAYED = 2,
    DEFERRED = 3,
    INFLIGHT = 4,
    DEAD = 5,
    STALE = 14,
    HEAD = 6, /* replies in front of the queues' */
};

static const int64_t COUNT_MAX = INT64_C(1000000000000000);

struct audit {
    struct buffer *out, *differences;
    int count;
    int64_t delayed, deferred, inflight, dead; /* of all queues */
};

static void add_key(struct buffer *out, const char *key)
{
    if (out->len && !strchr("{[", out->data[out->len - 1]))
        moil_buffer_add_char(out, ',');
    moil_buffer_addf(out, "\"%s\":", key);
}

static void add_int(struct buffer *out, const char *key, int64_t v)
{
    add_key(out, key);
    moil_buffer_add_int(out, v);
}

__attribute__((format(printf, 2, 3))) static void differ(struct audit *a, const char *fmt, ...)
{
    char line[MOIL_NAME_MAX + 300];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    moil_buffer_add_json(a->differences, slice_str(line));
    moil_buffer_add_char(a->differences, ',');
    a->count++;
}

/* Within what can be added up: nobody counts so far, but a hand may write anything. */
static int64_t number_of(const struct reply *reply)
{
    int64_t v = moil_reply_integer(reply);
    return v > COUNT_MAX ? COUNT_MAX : v < -COUNT_MAX ? -COUNT_MAX : v;
}

static void read_counters(const struct reply *pairs, int64_t values[COUNTERS])
{
    for (size_t i = 0; i + 1 < moil_reply_count(pairs); i += 2)
        for (size_t k = 0; k < COUNTERS; k++)
            if (slice_is(moil_reply_slice(moil_reply_at(pairs, i)), counters[k].name))
                values[k] = number_of(moil_reply_at(pairs, i + 1));
}

static int64_t add_part(struct audit *a, enum part part, const int64_t values[COUNTERS])
{
    int64_t sum = 0;
    for (size_t k = 0; k < COUNTERS; k++) {
        if (counters[k].part == part) {
            add_int(a->out, counters[k].key, values[k]);
            sum += values[k];
        }
    }
    return sum;
}

static int64_t add_object(struct audit *a, const char *key, enum part part,
                          const int64_t values[COUNTERS])
{
    add_key(a->out, key);
    moil_buffer_add_char(a->out, '{');
    int64_t sum = add_part(a, part, values);
    moil_buffer_add_char(a->out, '}');
    return sum;
}

static void add_queue(struct audit *a, struct slice name, int64_t entries,
                      const struct reply *pairs)
{
    int64_t values[COUNTERS] = {0};
    bool counted = moil_reply_count(pairs) > 0;
    read_counters(pairs, values);
    values[PENDING] = entries - values[STALE];
    moil_buffer_add_char(a->out, '{');
    add_key(a->out, "queue");
    moil_buffer_add_json(a->out, name);
    int64_t enqueued = add_part(a, PART_ENQUEUED, values);
    int64_t places = add_part(a, PART_PLACE, values);
    int64_t ended = add_object(a, "ended", PART_ENDED, values);
    int64_t discarded = add_object(a, "discarded", PART_DISCARDED, values);
    add_part(a, PART_NOTE, values);
    int64_t found = places + ended + discarded;
    bool ok = enqueued == found;
    moil_buffer_addf(a->out, ",\"counted\":%s,\"ok\":%s}", counted ? "true" : "false",
                     ok ? "true" : "false");
    if (!ok && !counted)
        differ(a,
               "queue %.*s: %" PRId64
               " entries, but no counters: they are older than counting, or were put there by hand",
               (int)name.n, name.p, entries);
    else if (!ok)
        differ(a,
               "queue %.*s: %" PRId64 " enqueued, but %" PRId64 " accounted for (%+" PRId64
               "): %" PRId64 " in places, %" PRId64 " ended, %" PRId64 " discarded",
               (int)name.n, name.p, enqueued, found, found - enqueued, places, ended, discarded);
    a->delayed += values[DELAYED];
    a->deferred += values[DEFERRED];
    a->inflight += values[INFLIGHT];
    a->dead += values[DEAD];
}

static void add_total(struct audit *a, const char *key, const char *what, int64_t counted,
                      int64_t found)
{
    add_key(a->out, key);
    moil_buffer_addf(a->out, "{\"counted\":%" PRId64 ",\"found\":%" PRId64 ",\"ok\":%s}", counted,
                     found, counted == found ? "true" : "false");
    if (counted != found)
        differ(a, "%s: %" PRId64 " counted, %" PRId64 " found", what, counted, found);
}

static void add_fences(struct audit *a, const struct reply *pairs)
{
    static const char *const names[] = {"fetch",   "settle",   "progress", "reclaim",
                                        "requeue", "verdicts", "late"};
    add_key(a->out, "fenced");
    moil_buffer_add_char(a->out, '{');
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        int64_t value = 0;
        for (size_t i = 0; i + 1 < moil_reply_count(pairs); i += 2)
            if (slice_is(moil_reply_slice(moil_reply_at(pairs, i)), names[k]))
                value = number_of(moil_reply_at(pairs, i + 1));
        add_int(a->out, names[k], value);
    }
    moil_buffer_add_char(a->out, '}');
}

int moil_audit_describe(const struct reply *reply, struct buffer *out, struct buffer *differences,
                        bool *legible)
{
    struct audit a = {.out = out, .differences = differences};
    size_t count = moil_reply_count(reply);
    if (count < HEAD)
        return MOIL_EBADMSG;
    const struct reply *wrong = moil_reply_at(reply, 5);
    for (size_t i = 0; i < moil_reply_count(wrong); i++)
        differ(&a, "%.*s", (int)moil_reply_slice(moil_reply_at(wrong, i)).n,
               moil_reply_slice(moil_reply_at(wrong, i)).p);
    *legible = a.count == 0;
    add_key(out, "queues");
    moil_buffer_add_char(out, '[');
    for (size_t i = HEAD; i + 2 < count; i += 3) {
        if (i > HEAD)
            moil_buffer_add_char(out, ',');
        add_queue(&a, moil_reply_slice(moil_reply_at(reply, i)),
                  number_of(moil_reply_at(reply, i + 1)), moil_reply_at(reply, i + 2));
    }
    moil_buffer_add_char(out, ']');
    add_total(&a, "delayed", "delayed jobs", a.delayed, number_of(moil_reply_at(reply, 0)));
    add_total(&a, "dead", "dead jobs", a.dead, number_of(moil_reply_at(reply, 1)));
    add_total(&a, "in_flight", "jobs in flight", a.inflight, number_of(moil_reply_at(reply, 2)));
    add_total(&a, "deferred", "deferred jobs", a.deferred, number_of(moil_reply_at(reply, 3)));
    add_fences(&a, moil_reply_at(reply, 4));
    return a.count;
}
