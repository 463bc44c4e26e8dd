/* describe.c: see describe.h. */
#include "queue/describe.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json_dump.h"
#include "base/mem.h"
#include "queue/lease.h"
#include "queue/message.h"

static void add_key(struct buffer *out, const char *key)
{
    if (out->len && out->data[out->len - 1] != '{')
        moil_buffer_add_char(out, ',');
    moil_buffer_add_char(out, '"');
    moil_buffer_add_str(out, key);
    moil_buffer_add_str(out, "\":");
}

/* Strings, JSON text and times are left out when they are absent. */
static void add_string(struct buffer *out, const char *key, struct slice s)
{
    if (s.n == 0)
        return;
    add_key(out, key);
    moil_buffer_add_json(out, s);
}

/* JSON text from a record; what is none is shown as a string, so that one damaged record does not
 * spoil a whole page. */
static void add_text(struct buffer *out, const char *key, struct slice json)
{
    if (json.n == 0)
        return;
    json_t *value = json_loadb(json.p, json.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    add_key(out, key);
    if (value)
        moil_buffer_add_slice(out, json);
    else
        moil_buffer_add_json(out, json);
    json_decref(value);
}

static void add_int(struct buffer *out, const char *key, int64_t v)
{
    add_key(out, key);
    moil_buffer_add_int(out, v);
}

static void add_time(struct buffer *out, const char *key, int64_t us)
{
    if (us <= 0)
        return;
    add_key(out, key);
    moil_buffer_addf(out, "%lld.%06lld", (long long)(us / 1000000), (long long)(us % 1000000));
}

static void add_bool(struct buffer *out, const char *key, bool v)
{
    add_key(out, key);
    moil_buffer_add_str(out, v ? "true" : "false");
}

static void add_arguments(struct buffer *out, const struct job *job)
{
    add_text(out, "args", job->args);
    add_text(out, "kwargs", job->kwargs);
    add_text(out, "options", job->extra);
}

static void add_outcome(struct buffer *out, const struct outcome_record *o, bool in_dead_set)
{
    bool good = slice_is(o->state, "SUCCESS");
    struct job job = {.id = {NULL, 0}};
    add_string(out, "task", o->task);
    add_string(out, "queue", o->queue);
    add_int(out, "priority", o->priority);
    add_string(out, "state", o->state);
    add_text(out, good ? "result" : "error", o->value);
    if (o->body.n && moil_message_decode(o->body, &job) == 0)
        add_arguments(out, &job);
    add_int(out, "retries", o->retries);
    add_int(out, "deliveries", o->deliveries);
    add_time(out, "enqueued_at", o->enqueued_us);
    add_time(out, "started_at", o->started_us);
    add_time(out, "finished_at", o->finished_us);
    add_time(out, "expires_at", o->expires_min * 60000000);
    add_string(out, "worker", o->worker);
    if (in_dead_set)
        add_bool(out, "dead", true);
}

/* Milliseconds since the epoch, as Redis prints a score; bounded, so that they fit as microseconds.
 */
static int64_t digits(struct slice s)
{
    int64_t v = 0;
    for (size_t i = 0; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && v < INT64_MAX / 20000; i++)
        v = v * 10 + (s.p[i] - '0');
    return v;
}

/* What inspect.lua and the pages say of a job. */
struct found {
    struct slice id, record, place, detail, note;
};

static struct slice waiting_state(const struct job *job, struct slice place,
                                  const struct note *note)
{
    if (note->state.n)
        return note->state;
    return slice_str(slice_is(place, "inflight")   ? "STARTED"
                     : slice_is(place, "deferred") ? "DEFERRED"
                     : !slice_is(place, "delayed") ? "PENDING"
                     : job->retries                ? "RETRY"
                                                   : "SCHEDULED");
}

/* What a job that has not ended is doing: its place, and the note that its worker left. */
static void add_waiting(struct buffer *out, const struct job *job, const struct found *f,
                        const struct note *note)
{
    bool held = slice_is(f->place, "inflight");
    add_string(out, "task", job->task);
    add_string(out, "queue", job->queue);
    add_int(out, "priority", job->priority);
    add_string(out, "state", waiting_state(job, f->place, note));
    add_text(out, "meta", note->meta);
    add_arguments(out, job);
    add_int(out, "retries", job->retries);
    add_int(out, "deliveries", held ? moil_job_deliveries(job) : job->crashes + job->losses);
    add_time(out, "enqueued_at", job->enqueued_us);
    add_time(out, "started_at", note->started_us);
    if (held)
        add_string(out, "worker", f->detail);
    if (slice_is(f->place, "deferred"))
        add_int(out, "waits_for", digits(f->detail));
}

static bool is_one_of(struct slice wanted, struct slice have)
{
    return !wanted.p || slice_eq(wanted, have);
}

/* Whether the choice (NULL: all) has it; counts it down. */
static bool is_chosen(struct listing_choice *choice, struct slice task, struct slice queue,
                      struct slice state)
{
    if (!choice)
        return true;
    if (choice->limit == 0 || !is_one_of(choice->task, task) || !is_one_of(choice->queue, queue) ||
        !is_one_of(choice->state, state))
        return false;
    if (choice->skip > 0) {
        choice->skip--;
        return false;
    }
    choice->limit--;
    return true;
}

/* Where it is chosen, with a comma in front where it is not the first; false: nothing was added. */
static bool describe(struct buffer *out, const struct found *f, struct listing_choice *choice)
{
    static const struct slice none = {"", 0};
    struct outcome_record ended;
    struct job job = {.id = f->id};
    struct note note = {0};
    bool is_end = moil_record_is_outcome(f->record) && moil_outcome_decode(f->record, &ended) == 0;
    bool is_job = !is_end && moil_message_decode(f->record, &job) == 0;
    if (choice && slice_is(f->place, "pending") && (is_end || f->record.n == 0))
        return false; /* what a job that was revoked or deleted left in the list */
    if (f->note.n && moil_note_decode(f->note, &note) != 0)
        note = (struct note){0};
    if (is_end   ? !is_chosen(choice, ended.task, ended.queue, ended.state)
        : is_job ? !is_chosen(choice, job.task, job.queue, waiting_state(&job, f->place, &note))
                 : !is_chosen(choice, none, none, none))
        return false;
    if (out->len && out->data[out->len - 1] != '[')
        moil_buffer_add_char(out, ',');
    moil_buffer_add_char(out, '{');
    add_string(out, "id", f->id);
    if (is_end)
        add_outcome(out, &ended, slice_is(f->place, "dead"));
    else if (is_job)
        add_waiting(out, &job, f, &note);
    else
        add_bool(out, "damaged", true);
    if (slice_is(f->place, "delayed"))
        add_time(out, "due_at", digits(f->detail) * 1000);
    moil_buffer_add_char(out, '}');
    return true;
}

int moil_describe_job(struct slice id, const struct reply *inspected, struct buffer *out)
{
    if (moil_reply_count(inspected) != 4)
        return MOIL_EBADMSG;
    struct found found = {.id = id,
                          .record = moil_reply_slice(moil_reply_at(inspected, 0)),
                          .place = moil_reply_slice(moil_reply_at(inspected, 1)),
                          .detail = moil_reply_slice(moil_reply_at(inspected, 2)),
                          .note = moil_reply_slice(moil_reply_at(inspected, 3))};
    describe(out, &found, NULL);
    return out->failed ? MOIL_ENOMEM : 0;
}

/* Of one in flight: note "\n\n" incarnation, which is the last line. */
static void split_detail(struct found *f)
{
    const char *line = f->detail.n ? memrchr(f->detail.p, '\n', f->detail.n) : NULL;
    if (line && line > f->detail.p) {
        f->note = slice_of(f->detail.p, (size_t)(line - f->detail.p) - 1);
        f->detail = slice_of(line + 1, (size_t)(f->detail.p + f->detail.n - line) - 1);
    }
}

size_t moil_describe_list(enum listing kind, const struct reply *page,
                          struct listing_choice *choice, struct buffer *out)
{
    static const char *const places[] = {"inflight", "delayed", "dead", "pending", "deferred"};
    size_t count = moil_reply_count(page) / 3;
    for (size_t i = 0; i < count; i++) {
        struct found found = {.id = moil_reply_slice(moil_reply_at(page, 3 * i)),
                              .record = moil_reply_slice(moil_reply_at(page, 3 * i + 1)),
                              .place = slice_str(places[kind]),
                              .detail = moil_reply_slice(moil_reply_at(page, 3 * i + 2))};
        if (kind == LISTING_INFLIGHT)
            split_detail(&found);
        describe(out, &found, choice);
    }
    return count;
}

/* Its members from the counters of queues.lua on. */
static void add_counters(struct buffer *out, const struct reply *queues, size_t at)
{
    static const char *const keys[] = {"delayed",  "deferred", "in_flight", "dead",
                                       "enqueued", "replayed", "ended"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        add_int(out, keys[i], moil_reply_integer(moil_reply_at(queues, at + i)));
}

void moil_describe_queues(const struct reply *queues, struct buffer *out)
{
    moil_buffer_add_char(out, '[');
    for (size_t i = 4; i + 10 < moil_reply_count(queues); i += 11) {
        struct slice state = moil_reply_slice(moil_reply_at(queues, i + 1));
        struct slice header = moil_reply_slice(moil_reply_at(queues, i + 3));
        struct job oldest = {.id = {NULL, 0}};
        moil_buffer_add_char(out, '{');
        add_string(out, "queue", moil_reply_slice(moil_reply_at(queues, i)));
        add_int(out, "pending", moil_reply_integer(moil_reply_at(queues, i + 2)));
        add_bool(out, "paused", state.n && state.p[0] == 'p');
        if (moil_message_decode_header(header, &oldest) == 0)
            add_time(out, "oldest_at", oldest.enqueued_us);
        add_counters(out, queues, i + 4);
        moil_buffer_add_str(out, "},");
    }
    moil_buffer_add_char(out, '{');
    add_int(out, "delayed", moil_reply_integer(moil_reply_at(queues, 0)));
    add_int(out, "deferred", moil_reply_integer(moil_reply_at(queues, 3)));
    add_int(out, "dead", moil_reply_integer(moil_reply_at(queues, 1)));
    add_int(out, "in_flight", moil_reply_integer(moil_reply_at(queues, 2)));
    moil_buffer_add_str(out, "}]");
}

/* What its report says of the node's lease. */
static double lease_ms_of(const json_t *report)
{
    double s = json_number_value(json_object_get(report, "lease"));
    return s > 0 ? s * 1000 : MOIL_LEASE_MS;
}

/* A report is spliced in, so it must be an object; what is none is left out. */
static json_t *load_report(struct slice report)
{
    bool opens = report.n > 0 && report.p[0] == '{';
    return opens ? json_loadb(report.p, report.n, JSON_ALLOW_NUL, NULL) : NULL;
}

/* How a node that is gone did when it was last seen says nothing of how it does. */
static void drop_health(json_t *members)
{
    size_t i;
    json_t *worker;
    json_object_del(members, "health");
    json_object_del(members, "trouble");
    json_array_foreach(json_object_get(members, "workers"), i, worker)
    {
        json_object_del(worker, "health");
        json_object_del(worker, "trouble");
    }
}

/* The members of the report, and the brace that ends the node's object. */
static void add_report(struct buffer *out, struct slice report, json_t *members, bool is_alive)
{
    char *text = NULL;
    if (!is_alive) {
        drop_health(members);
        text = moil_json_dump(members, JSON_COMPACT);
        report = slice_str(text ? text : "{}");
    }
    if (json_object_size(members) > 0 && report.n > 2) {
        moil_buffer_add_char(out, ',');
        moil_buffer_add(out, report.p + 1, report.n - 1);
    } else {
        moil_buffer_add_char(out, '}');
    }
    moil_mem_free(text);
}

void moil_describe_nodes(const struct reply *nodes, struct buffer *out)
{
    double now_ms = (double)moil_reply_integer(moil_reply_at(nodes, 0));
    moil_buffer_add_char(out, '[');
    for (size_t i = 1; i + 2 < moil_reply_count(nodes); i += 3) {
        double age_ms = now_ms - (double)moil_reply_integer(moil_reply_at(nodes, i + 1));
        struct slice report = moil_reply_slice(moil_reply_at(nodes, i + 2));
        json_t *members = load_report(report);
        if (i > 1)
            moil_buffer_add_char(out, ',');
        moil_buffer_add_char(out, '{');
        struct slice id = moil_reply_slice(moil_reply_at(nodes, i));
        const char *slash = id.n ? memrchr(id.p, '/', id.n) : NULL; /* name/run */
        add_string(out, "node", slice_of(id.p, slash ? (size_t)(slash - id.p) : id.n));
        add_string(out, "node_id", id);
        add_key(out, "age");
        moil_buffer_addf(out, "%.3f", age_ms / 1000);
        bool is_alive = age_ms <= lease_ms_of(members);
        add_bool(out, "alive", is_alive);
        add_report(out, report, members, is_alive);
        json_decref(members);
    }
    moil_buffer_add_char(out, ']');
}

void moil_revoke_args(struct args *a, double ttl_s, bool terminate)
{
    moil_args_str(a, "{\"code\":\"Revoked\",\"message\":\"revoked\"}");
    moil_args_int(a, ttl_s < 1 ? 1 : ttl_s > 1e9 ? (int64_t)1e9 : (int64_t)ttl_s);
    moil_args_str(a, terminate ? "1" : "0");
}

void moil_reschedule_args(struct args *a, double countdown_s, double eta_s)
{
    moil_args_int(a, llround((eta_s != 0 ? eta_s : countdown_s) * 1000));
    moil_args_str(a, eta_s != 0 ? "" : "+");
}
