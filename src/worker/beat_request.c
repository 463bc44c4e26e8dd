/* beat_request.c: see beat_request.h. Replies are beat_answer.c's. */
#include "worker/beat_request.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json_dump.h"
#include "base/line.h"
#include "base/mem.h"
#include "beat/entry.h"
#include "worker/timetable.h"

/* --- an entry as it is stored ----------------------------------------------------------------- */

/* 15 digits are how people wrote them; 17 are all there is. */
static char *dump(const json_t *object)
{
    const size_t flags = JSON_COMPACT | JSON_SORT_KEYS;
    char *text = moil_json_dump(object, flags | JSON_REAL_PRECISION(15));
    json_t *again = text ? json_loads(text, JSON_ALLOW_NUL, NULL) : NULL;
    if (!json_equal(object, again)) {
        moil_mem_free(text);
        text = moil_json_dump(object, flags);
    }
    json_decref(again);
    return text;
}

/* The same text for the same entry, so that a repeat can be told; the pause is kept elsewhere. */
static int store(struct beat_request *r)
{
    json_t *object = json_loadb(r->ask.text.p, r->ask.text.n, JSON_ALLOW_NUL, NULL);
    const json_t *paused = json_object_get(object, "paused");
    r->paused = !paused ? "-" : json_is_true(paused) ? "1" : "0";
    json_object_del(object, "paused");
    char *text = object ? dump(object) : NULL;
    if (text)
        moil_buffer_add_str(&r->entry, text);
    moil_mem_free(text);
    json_decref(object);
    return text && !r->entry.failed ? 0 : MOIL_ENOMEM;
}

static int64_t last_due(const struct entry *e, int64_t first_ms)
{
    if (moil_entry_next(e, first_ms) == MOIL_NEVER)
        return first_ms;
    return e->schedule.stop_ms == MOIL_NEVER ? MOIL_NEVER
                                             : moil_entry_latest(e, first_ms, e->schedule.stop_ms);
}

/* From when on it runs, and until when: the script knows what the time is. */
static int begin(struct beat_request *r, const struct entry *e, char *errstr, size_t errlen)
{
    int64_t first_ms = moil_entry_next(e, -1);
    snprintf(r->since, sizeof r->since, "-");
    snprintf(r->last, sizeof r->last, "-");
    moil_buffer_add_str(&r->when, e->when);
    if (first_ms == MOIL_NEVER) {
        snprintf(errstr, errlen, "beat entry \"%s\": it is never due from now on: %s", r->name,
                 e->when);
        return MOIL_EINVAL;
    }
    int64_t last_ms = last_due(e, first_ms);
    if (r->ask.flag)
        snprintf(r->since, sizeof r->since, "%" PRId64, first_ms - 1);
    else if (last_ms != MOIL_NEVER)
        snprintf(r->last, sizeof r->last, "%" PRId64, last_ms);
    return 0;
}

static struct entry *parse(const struct beat_request *r, struct zones *zones, char *errstr,
                           size_t errlen)
{
    if (zones)
        return moil_entry_parse(zones, r->name, r->ask.text, errstr, errlen);
    snprintf(errstr, errlen, "out of memory");
    return NULL;
}

static int read_entry(struct beat_request *r, char *errstr, size_t errlen)
{
    if (r->ask.text.n > MOIL_BEAT_ENTRY_MAX) {
        snprintf(errstr, errlen, "beat entry \"%s\": %zu bytes, at most %d are taken", r->name,
                 r->ask.text.n, (int)MOIL_BEAT_ENTRY_MAX);
        return MOIL_ETOOLARGE;
    }
    struct zones *zones = moil_zones_new();
    struct entry *e = parse(r, zones, errstr, errlen);
    int err = e ? begin(r, e, errstr, errlen) : MOIL_EINVAL;
    moil_entry_free(e);
    moil_zones_free(zones);
    if (!err && (err = store(r)) != 0)
        snprintf(errstr, errlen, "out of memory");
    return err;
}

int moil_beat_request_init(struct beat_request *r, const struct vm_beat *ask, char *errstr,
                           size_t errlen)
{
    bool any_name = ask->verb == VM_BEAT_LIST || ask->verb == VM_BEAT_HISTORY;
    *r = (struct beat_request){.ask = *ask, .paused = "-"};
    moil_buffer_init(&r->entry);
    moil_buffer_init(&r->when);
    if (ask->name.n > 0 || !any_name) {
        if (!moil_name_is_valid(ask->name)) {
            snprintf(errstr, errlen,
                     "a beat entry's name is 1 to 200 printable ASCII characters without space");
            return MOIL_EINVAL;
        }
        snprintf(r->name, sizeof r->name, "%.*s", (int)ask->name.n, ask->name.p);
    }
    return ask->verb == VM_BEAT_PUT ? read_entry(r, errstr, errlen) : 0;
}

void moil_beat_request_fini(struct beat_request *r)
{
    moil_buffer_fini(&r->entry);
    moil_buffer_fini(&r->when);
}

/* --- arguments -------------------------------------------------------------------------------- */

enum { PAGE = 50, HISTORY_MAX = 1000 };

enum script_id moil_beat_request_script(const struct beat_request *r)
{
    switch (r->ask.verb) {
    case VM_BEAT_PUT:
        return SCRIPT_BEAT_PUT;
    case VM_BEAT_REMOVE:
        return SCRIPT_BEAT_REMOVE;
    case VM_BEAT_PAUSE:
        return SCRIPT_BEAT_PAUSE;
    case VM_BEAT_HISTORY:
        return SCRIPT_BEAT_HISTORY;
    case VM_BEAT_LIST:
    case VM_BEAT_NEXT:
        break;
    }
    return SCRIPT_BEAT_LIST;
}

static void add_list_args(const struct beat_request *r, struct args *a)
{
    moil_args_str(a, r->name[0] ? "one" : "ticks");
    if (r->name[0])
        moil_args_str(a, r->name);
    else
        moil_args_slice(a, r->ask.text.n > 0 ? r->ask.text : slice_str("0"));
    moil_args_int(a, PAGE);
}

void moil_beat_request_args(const struct beat_request *r, struct args *a)
{
    switch (r->ask.verb) {
    case VM_BEAT_PUT:
        moil_args_str(a, r->name);
        moil_args_slice(a, moil_buffer_slice(&r->entry));
        moil_args_slice(a, r->ask.expect);
        moil_args_str(a, r->paused);
        moil_args_str(a, r->since);
        moil_args_str(a, r->ask.flag && slice_is(r->ask.expect, "*") ? "1" : "0");
        moil_args_str(a, r->last);
        return;
    case VM_BEAT_REMOVE:
    case VM_BEAT_PAUSE:
        moil_args_str(a, r->name);
        moil_args_str(a, r->ask.flag ? "1" : "0");
        return;
    case VM_BEAT_HISTORY:
        moil_args_int(a, 0);
        moil_args_int(a, r->name[0] || r->ask.limit <= 0 ? HISTORY_MAX : r->ask.limit);
        return;
    case VM_BEAT_LIST:
    case VM_BEAT_NEXT:
        add_list_args(r, a);
        return;
    }
}

/* --- without Redis ---------------------------------------------------------------------------- */

static void add_runs(const struct beat_request *r, const struct entry *e, struct buffer *out)
{
    double from_s = r->ask.from_s;
    int64_t limit = r->ask.limit;
    int64_t at = from_s >= 0 ? (int64_t)(from_s * 1000) : moil_clock_wall_us() / 1000;
    limit = e->max_runs > 0 && e->max_runs < limit ? e->max_runs : limit;
    moil_buffer_add_char(out, '[');
    for (int64_t i = 0; i < limit; i++) {
        at = moil_entry_next(e, at);
        if (at == MOIL_NEVER)
            break;
        moil_buffer_addf(out, "%s%" PRId64 ".%03d", i > 0 ? "," : "", at / 1000, (int)(at % 1000));
    }
    moil_buffer_add_char(out, ']');
}

int moil_beat_request_next(const struct beat_request *r, struct buffer *out, char *errstr,
                           size_t errlen)
{
    if (r->ask.limit < 1 || r->ask.limit > MOIL_BEAT_RUNS_MAX ||
        !(r->ask.from_s < 253402300800.0)) {
        snprintf(errstr, errlen,
                 "the next runs: 1 to %d of them, from a time before the year 10000",
                 (int)MOIL_BEAT_RUNS_MAX);
        return MOIL_EINVAL;
    }
    struct zones *zones = moil_zones_new();
    struct entry *e = parse(r, zones, errstr, errlen);
    if (e)
        add_runs(r, e, out);
    bool ok = e != NULL;
    moil_entry_free(e);
    moil_zones_free(zones);
    return ok ? 0 : MOIL_EINVAL;
}
