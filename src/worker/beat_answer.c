/* beat_answer.c: replies to beat requests as JSON text; see beat_request.h. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "base/error.h"
#include "beat/entry.h"
#include "worker/beat_request.h"

/* The field of a line of words that ends with a space, cut off its front. */
static struct slice take_word(struct slice *line)
{
    const char *space = line->n > 0 ? memchr(line->p, ' ', line->n) : NULL;
    struct slice word = {line->p, space ? (size_t)(space - line->p) : line->n};
    size_t taken = word.n + (space ? 1 : 0);
    line->p += taken;
    line->n -= taken;
    return word;
}

enum { DIGITS_MAX = 15 }; /* a time in ms until the year 33658; more digits are none of ours */

/* Redis may hold anything under our keys: what is no number is 0. */
static int64_t number_of(struct slice word)
{
    int64_t n = 0;
    for (size_t i = 0; i < word.n; i++) {
        if (word.p[i] < '0' || word.p[i] > '9' || i == DIGITS_MAX)
            return 0;
        n = n * 10 + (word.p[i] - '0');
    }
    return n;
}

static void add_time(struct buffer *out, const char *key, int64_t ms)
{
    moil_buffer_addf(out, ",\"%s\":%" PRId64 ".%03d", key, ms / 1000, (int)(ms % 1000));
}

static void add_text(struct buffer *out, const char *key, struct slice text)
{
    moil_buffer_addf(out, ",\"%s\":", key);
    moil_buffer_add_json(out, text);
}

/* --- list ------------------------------------------------------------------------------------- */

/* `ticks` of one entry: LAST_DUE RUNS PAUSED LAST_ID FIRST VERSION TIMING */
struct tick_state {
    int64_t last_ms, runs, first_ms;
    bool paused;
    struct slice id;
};

static struct tick_state read_state(struct slice text)
{
    struct tick_state s = {.last_ms = number_of(take_word(&text))};
    s.runs = number_of(take_word(&text));
    s.paused = slice_is(take_word(&text), "1");
    s.id = take_word(&text);
    s.first_ms = number_of(take_word(&text));
    return s;
}

static void add_state(const struct tick_state *s, struct buffer *out)
{
    moil_buffer_addf(out, ",\"runs\":%" PRId64 ",\"paused\":%s", s->runs,
                     s->paused ? "true" : "false");
    if (s->runs > 0)
        add_time(out, "last_due_at", s->last_ms);
    if (s->id.n > 0 && !slice_is(s->id, "-"))
        add_text(out, "last_id", s->id);
    if (s->first_ms > 0)
        add_time(out, "first_at", s->first_ms);
}

static bool is_object(struct slice text)
{
    json_t *v = json_loadb(text.p ? text.p : "", text.n, JSON_ALLOW_NUL, NULL);
    bool ok = json_is_object(v);
    json_decref(v);
    return ok;
}

/* What the entry says, as this machine reads it: its tz database may lack the entry's zone. */
static void add_entry(struct zones *zones, const char *name, struct slice text,
                      const struct tick_state *s, struct buffer *out)
{
    char why[512];
    struct entry *e = moil_entry_parse(zones, name, text, why, sizeof why);
    if (!e) {
        add_text(out, "problem", slice_str(why));
    } else {
        int64_t next = moil_entry_next(e, s->last_ms);
        add_text(out, "task", slice_str(e->task));
        add_text(out, "when", slice_str(e->when));
        if (next != MOIL_NEVER && !s->paused)
            add_time(out, "next_at", next);
    }
    moil_entry_free(e);
    if (is_object(text)) {
        moil_buffer_add_str(out, ",\"entry\":");
        moil_buffer_add_slice(out, text);
    }
}

static void add_listed(struct zones *zones, const struct reply *reply, size_t i, struct buffer *out)
{
    char name[MOIL_NAME_MAX + 1];
    struct slice name_of = moil_reply_slice(moil_reply_at(reply, i));
    struct slice stored = moil_reply_slice(moil_reply_at(reply, i + 1));
    struct tick_state s = read_state(moil_reply_slice(moil_reply_at(reply, i + 2)));
    snprintf(name, sizeof name, "%.*s", (int)name_of.n, name_of.p);
    moil_buffer_add_str(out, "{\"name\":");
    moil_buffer_add_json(out, name_of);
    add_text(out, "source", slice_str(stored.n > 0 ? "run time" : "file"));
    add_state(&s, out);
    if (stored.n > 0) {
        moil_buffer_addf(out, ",\"version\":%" PRId64, number_of(take_word(&stored)));
        add_entry(zones, name, stored, &s, out);
    }
    moil_buffer_add_char(out, '}');
}

static int answer_list(const struct reply *reply, struct buffer *out)
{
    int64_t now_us = moil_reply_integer(moil_reply_at(reply, 2));
    size_t count = moil_reply_count(reply);
    struct zones *zones = moil_zones_new();
    if (!zones)
        return MOIL_ENOMEM;
    moil_buffer_add_str(out, "{\"cursor\":");
    moil_buffer_add_json(out, moil_reply_slice(moil_reply_at(reply, 0)));
    add_time(out, "now", now_us > 0 ? now_us / 1000 : 0);
    moil_buffer_add_str(out, ",\"entries\":[");
    for (size_t i = 3; i + 2 < count; i += 3) {
        moil_buffer_add_str(out, i > 3 ? "," : "");
        add_listed(zones, reply, i, out);
    }
    moil_buffer_add_str(out, "]}");
    moil_zones_free(zones);
    return 0;
}

/* --- history ---------------------------------------------------------------------------------- */

/* DUE FIRED ID OUTCOME NAME */
static bool add_tick(const struct beat_request *r, struct slice line, bool first,
                     struct buffer *out)
{
    int64_t due = number_of(take_word(&line)), fired = number_of(take_word(&line));
    struct slice id = take_word(&line), outcome = take_word(&line);
    if (r->name[0] && !slice_is(line, r->name))
        return false;
    moil_buffer_add_str(out, first ? "{\"name\":" : ",{\"name\":");
    moil_buffer_add_json(out, line);
    add_time(out, "due_at", due);
    add_time(out, "fired_at", fired);
    add_text(out, "outcome", outcome);
    if (!slice_is(id, "-"))
        add_text(out, "id", id);
    moil_buffer_add_char(out, '}');
    return true;
}

static void answer_history(const struct beat_request *r, const struct reply *reply,
                           struct buffer *out)
{
    int64_t added = 0, limit = r->ask.limit > 0 ? r->ask.limit : INT64_MAX;
    moil_buffer_add_char(out, '[');
    for (size_t i = 0; i < moil_reply_count(reply) && added < limit; i++)
        added += add_tick(r, moil_reply_slice(moil_reply_at(reply, i)), added == 0, out);
    moil_buffer_add_char(out, ']');
}

/* --- all -------------------------------------------------------------------------------------- */

int moil_beat_request_answer(const struct beat_request *r, const struct reply *reply,
                             struct buffer *out)
{
    int err = 0;
    switch (r->ask.verb) {
    case VM_BEAT_PUT:
        moil_buffer_add_str(out, "{\"outcome\":");
        moil_buffer_add_json(out, moil_reply_slice(moil_reply_at(reply, 0)));
        moil_buffer_addf(out, ",\"version\":%" PRId64, moil_reply_integer(moil_reply_at(reply, 1)));
        add_text(out, "when", moil_buffer_slice(&r->when));
        moil_buffer_add_char(out, '}');
        break;
    case VM_BEAT_REMOVE:
    case VM_BEAT_PAUSE:
        moil_buffer_add_int(out, moil_reply_integer(reply));
        break;
    case VM_BEAT_LIST:
        err = moil_reply_count(reply) >= 3 ? answer_list(reply, out) : MOIL_EBADMSG;
        break;
    case VM_BEAT_HISTORY:
        answer_history(r, reply, out);
        break;
    case VM_BEAT_NEXT:
        break;
    }
    return err ? err : out->failed ? MOIL_ENOMEM : 0;
}
