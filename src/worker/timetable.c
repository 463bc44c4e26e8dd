/* timetable.c: see timetable.h. */
#include "worker/timetable.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

int moil_timetable_init(struct timetable *t, void *owner)
{
    *t = (struct timetable){.zones = moil_zones_new(), .owner = owner};
    moil_agenda_init(&t->agenda);
    return t->zones ? 0 : MOIL_ENOMEM;
}

static void planned_free(struct timetable *t, struct planned *p)
{
    moil_agenda_take(&t->agenda, &p->item);
    HASH_DEL(t->all, p);
    if (p->runtime)
        moil_entry_free(p->runtime);
    moil_mem_free(p);
}

void moil_timetable_fini(struct timetable *t)
{
    struct planned *p, *next;
    HASH_ITER(hh, t->all, p, next)
        planned_free(t, p);
    moil_agenda_fini(&t->agenda);
    moil_beat_config_fini(&t->config);
    moil_zones_free(t->zones);
}

static struct planned *find(struct timetable *t, struct slice name)
{
    struct planned *p;
    HASH_FIND(hh, t->all, name.p, name.n, p);
    return p;
}

static struct planned *find_or_add(struct timetable *t, struct slice name)
{
    struct planned *p = find(t, name);
    if (p)
        return p;
    if (moil_agenda_reserve(&t->agenda, HASH_COUNT(t->all) + 1) != 0 ||
        !(p = moil_mem_zalloc(1, sizeof *p + name.n + 1)))
        return NULL;
    memcpy(p->name, name.p, name.n);
    p->owner = t->owner;
    HASH_ADD_KEYPTR(hh, t->all, p->name, name.n, p);
    if (!p->hh.tbl) {
        moil_mem_free(p);
        return NULL;
    }
    return p;
}

void moil_timetable_drop_unused(struct timetable *t, struct planned *p)
{
    p->dropped = !p->file && !p->version;
    if (!p->dropped)
        return;
    moil_agenda_take(&t->agenda, &p->item);
    if (!p->busy)
        planned_free(t, p);
}

/* --- the file --------------------------------------------------------------------------------- */

/* FNV-1a, 64 bits: the same on each machine. */
static void add_to_sum(uint64_t *sum, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        *sum = (*sum ^ *c) * UINT64_C(0x100000001b3);
}

/* What says when an entry is due, in short. */
static void fingerprint(const struct entry *e, char out[TIMETABLE_TIMING_LEN + 1])
{
    char bounds[64];
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    snprintf(bounds, sizeof bounds, " %" PRId64 " %" PRId64 " ", e->schedule.start_ms,
             e->schedule.stop_ms);
    add_to_sum(&sum, e->when);
    add_to_sum(&sum, bounds);
    add_to_sum(&sum, moil_zone_name(e->schedule.zone));
    snprintf(out, TIMETABLE_TIMING_LEN + 1, "%016" PRIx64, sum);
}

static void take_timing(struct planned *p)
{
    char timing[TIMETABLE_TIMING_LEN + 1];
    fingerprint(p->file, timing);
    if (strcmp(timing, p->timing) == 0)
        return;
    memcpy(p->timing, timing, sizeof timing);
    p->introduced = p->warned = false;
}

static bool make_room(struct timetable *t, const struct beat_config *config)
{
    for (size_t i = 0; i < config->count; i++)
        if (!find_or_add(t, slice_str(config->entries[i]->name)))
            return false;
    return true;
}

int moil_timetable_set_file(struct timetable *t, struct slice json, char *errstr, size_t errlen)
{
    struct beat_config next = {0};
    struct planned *p, *after;
    int err = json.n ? moil_beat_config_parse(&next, json, errstr, errlen) : 0;
    if (!err && !make_room(t, &next)) {
        snprintf(errstr, errlen, "out of memory");
        err = MOIL_ENOMEM;
    }
    if (!err) {
        HASH_ITER(hh, t->all, p, after)
            p->file = NULL;
        for (size_t i = 0; i < next.count; i++) {
            p = find(t, slice_str(next.entries[i]->name));
            p->file = next.entries[i];
            take_timing(p);
        }
        struct beat_config before = t->config;
        t->config = next;
        next = before;
    }
    HASH_ITER(hh, t->all, p, after)
        moil_timetable_drop_unused(t, p);
    moil_beat_config_fini(&next);
    return err;
}

/* --- what Redis has --------------------------------------------------------------------------- */

void moil_timetable_read_begin(struct timetable *t)
{
    t->read++;
}

static void forget_runtime(struct planned *p)
{
    if (p->runtime)
        moil_entry_free(p->runtime);
    p->runtime = NULL;
    p->version = 0;
    p->known = false;
}

void moil_timetable_read_end(struct timetable *t)
{
    struct planned *p, *next;
    HASH_ITER(hh, t->all, p, next) {
        if (p->read_in == t->read)
            continue;
        p->known = false; /* whatever it was: its state has gone */
        if (p->version)
            forget_runtime(p);
        moil_timetable_drop_unused(t, p);
    }
}

int moil_timetable_add(struct timetable *t, struct slice name, struct slice text, char *errstr,
                       size_t errlen)
{
    const char *space = memchr(text.p, ' ', text.n);
    struct planned *p = find_or_add(t, name);
    snprintf(errstr, errlen, "out of memory");
    if (!p)
        return MOIL_ENOMEM;
    p->read_in = t->read;
    p->dropped = false;
    int64_t version = space ? strtoll(text.p, NULL, 10) : 0;
    if (version != 0 && version == p->version)
        return 0;
    forget_runtime(p);
    p->version = version ? version : -1;
    size_t used = space ? (size_t)(space + 1 - text.p) : text.n;
    p->runtime =
        moil_entry_parse(t->zones, p->name, slice_of(text.p + used, text.n - used), errstr, errlen);
    return p->runtime ? 0 : MOIL_EINVAL;
}

/* "LAST_DUE RUNS PAUSED LAST_ID FIRST VERSION TIMING" */
void moil_timetable_set_state(struct timetable *t, struct slice name, struct slice text)
{
    struct planned *p = find(t, name);
    char line[512], version[24] = "", timing[TIMETABLE_TIMING_LEN + 1] = "";
    int paused = 0;
    if (!p)
        return;
    p->read_in = t->read;
    snprintf(line, sizeof line, "%.*s", (int)(text.n < 500 ? text.n : 500), text.n ? text.p : "");
    bool known = sscanf(line, "%" SCNd64 " %" SCNd64 " %d %*s %*s %23s %16s", &p->last_due_ms,
                        &p->runs, &paused, version, timing) >= 3;
    if (p->version && strcmp(version, "-") == 0)
        forget_runtime(p); /* it is a file's again */
    p->known = known;
    p->paused = paused != 0;
    memcpy(p->state_timing, timing, sizeof timing);
}

/* --- what is due ------------------------------------------------------------------------------ */

int64_t moil_entry_latest(const struct entry *e, int64_t due_ms, int64_t now_ms)
{
    int64_t latest = due_ms, last = now_ms; /* nothing is due in (last, now_ms] */
    while (latest < last) {
        int64_t middle = latest + (last - latest) / 2;
        int64_t next = moil_entry_next(e, middle);
        if (next <= now_ms)
            latest = next;
        else
            last = middle;
    }
    return latest;
}

int64_t moil_entry_put_off(const struct entry *e, int64_t due_ms)
{
    if (e->jitter_ms <= 0)
        return 0;
    int64_t next_ms = moil_entry_next(e, due_ms);
    int64_t room = next_ms == MOIL_NEVER ? INT64_MAX : next_ms - due_ms;
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    char digits[24];
    snprintf(digits, sizeof digits, " %" PRId64, due_ms);
    add_to_sum(&sum, e->name);
    add_to_sum(&sum, digits);
    sum ^= sum >> 32;
    return (int64_t)(sum % (uint64_t)(e->jitter_ms < room ? e->jitter_ms : room));
}

static bool is_of_other_timing(const struct planned *p)
{
    return p->known && !p->version && strcmp(p->timing, p->state_timing) != 0;
}

bool moil_planned_is_shared(const struct planned *p)
{
    return p->introduced && is_of_other_timing(p);
}

/* Redis's clock was set back, and by more than the entry rests between two runs. */
static bool is_ahead(const struct planned *p, const struct entry *e, int64_t now_ms)
{
    return p->last_due_ms - TIMETABLE_AHEAD_MS > now_ms &&
           moil_entry_next(e, now_ms) < p->last_due_ms;
}

/* So does a file's entry whose timing was edited. */
static bool begins_anew(const struct planned *p, const struct entry *e, int64_t now_ms)
{
    return !p->known || (!p->introduced && is_of_other_timing(p)) || is_ahead(p, e, now_ms);
}

static bool has_ended(const struct planned *p, const struct entry *e)
{
    return p->paused || (e->max_runs > 0 && p->runs >= e->max_runs);
}

void moil_timetable_plan(struct timetable *t, struct planned *p, int64_t now_ms)
{
    const struct entry *e = moil_planned_entry(p);
    moil_agenda_take(&t->agenda, &p->item);
    if (p->known && !p->version && !is_of_other_timing(p))
        p->introduced = true;
    if (p->busy || !e)
        return;
    if (begins_anew(p, e, now_ms)) {
        moil_agenda_put(&t->agenda, &p->item, now_ms);
        return;
    }
    p->due_ms = has_ended(p, e) ? MOIL_NEVER : moil_entry_next(e, p->last_due_ms);
    if (p->due_ms != MOIL_NEVER)
        moil_agenda_put(&t->agenda, &p->item, p->due_ms + moil_entry_put_off(e, p->due_ms));
}

void moil_timetable_plan_all(struct timetable *t, int64_t now_ms)
{
    struct planned *p, *next;
    HASH_ITER(hh, t->all, p, next)
        moil_timetable_plan(t, p, now_ms);
}

void moil_timetable_hold(struct timetable *t, struct planned *p)
{
    moil_agenda_take(&t->agenda, &p->item);
}

void moil_timetable_put_off(struct timetable *t, struct planned *p, int64_t until_ms)
{
    moil_agenda_put(&t->agenda, &p->item, until_ms);
}

struct planned *moil_timetable_take(struct timetable *t, int64_t now_ms)
{
    struct planned *p = (struct planned *)moil_agenda_first(&t->agenda);
    if (!p || p->item.at > now_ms)
        return NULL;
    moil_agenda_take(&t->agenda, &p->item);
    return p;
}

/* The latest of those missed. One that its jitter still holds back is not missed yet. */
static int64_t latest_missed(const struct entry *e, int64_t due_ms, int64_t now_ms)
{
    int64_t past_ms = now_ms - e->jitter_ms;
    return past_ms > due_ms ? moil_entry_latest(e, due_ms, past_ms) : due_ms;
}

/* Passes over, with a tick that says so, what is between the runs that were made up for and the
 * latest of those missed. */
static void pass_over(struct planned *p, const struct entry *e, int64_t now_ms, struct tick *tick)
{
    int64_t latest_ms = latest_missed(e, p->due_ms, now_ms);
    p->caught_up = 0;
    if (latest_ms <= p->due_ms)
        return;
    tick->action = TICK_LATE;
    tick->due_ms = moil_entry_latest(e, p->due_ms, latest_ms - 1);
}

struct tick moil_timetable_decide(struct planned *p, int64_t now_ms)
{
    const struct entry *e = moil_planned_entry(p);
    struct tick tick = {.action = TICK_FIRE, .due_ms = p->due_ms};
    if (begins_anew(p, e, now_ms)) /* what it was planned for before does not count */
        return (struct tick){.action = p->known ? TICK_ANEW : TICK_SEEN};
    switch (e->catch_up) {
    case CATCH_UP_ALL:
        p->caught_up = moil_entry_next(e, p->due_ms) <= now_ms ? p->caught_up + 1 : 0;
        if (p->caught_up == TIMETABLE_CATCH_UP_MAX)
            pass_over(p, e, now_ms, &tick);
        break;
    case CATCH_UP_ONE:
        tick.due_ms = latest_missed(e, p->due_ms, now_ms);
        break;
    case CATCH_UP_NONE:
        tick.due_ms = latest_missed(e, p->due_ms, now_ms);
        if (now_ms - tick.due_ms - moil_entry_put_off(e, tick.due_ms) > TIMETABLE_LATE_MS)
            tick.action = TICK_LATE;
        break;
    }
    tick.final = moil_entry_next(e, tick.due_ms) == MOIL_NEVER;
    return tick;
}
