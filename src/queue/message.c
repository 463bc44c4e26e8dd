/* message.c: see message.h. The decoder trusts nothing: every field is bounded, every length is
 * checked against the record. */
#include "queue/message.h"

#include <string.h>

#include "base/error.h"

/* The year 192000: readers turn minutes into microseconds. */
static const int64_t EXPIRES_MIN_MAX = INT64_C(100000000000);

struct cursor {
    const char *p, *end;
    bool bad;
};

/* The next header field: up to a space or, for the last one, the newline. */
static struct slice next_field(struct cursor *c)
{
    const char *start = c->p;
    while (c->p < c->end && *c->p != ' ' && *c->p != '\n')
        c->p++;
    size_t n = (size_t)(c->p - start);
    if (c->p == c->end || n == 0 || n > MOIL_NAME_MAX) {
        c->bad = true;
        return slice_of("", 0);
    }
    if (*c->p == ' ')
        c->p++;
    return slice_of(start, n);
}

static int64_t next_int(struct cursor *c, int64_t max)
{
    struct slice s = next_field(c);
    int64_t v = 0;
    if (s.n == 0 || s.n > 18)
        c->bad = true;
    for (size_t i = 0; i < s.n && !c->bad; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            c->bad = true;
        v = v * 10 + (s.p[i] - '0');
    }
    if (v > max)
        c->bad = true;
    return c->bad ? 0 : v;
}

/* The last field was read: steps over the newline that must follow. */
static void end_header(struct cursor *c)
{
    if (c->bad || c->p == c->end || *c->p != '\n' || c->p[-1] == ' ')
        c->bad = true;
    else
        c->p++;
}

static struct slice next_bytes(struct cursor *c, int64_t n)
{
    if (c->bad || n > c->end - c->p) {
        c->bad = true;
        return slice_of("", 0);
    }
    struct slice s = slice_of(c->p, (size_t)n);
    c->p += n;
    return s;
}

static bool begin(struct cursor *c, struct slice record, const char *kind)
{
    *c = (struct cursor){record.p, record.p + record.n, false};
    if (record.n < 3 || memcmp(record.p, kind, 3) != 0)
        return false;
    c->p += 3;
    return true;
}

static struct slice or_dash(struct slice s)
{
    return s.n ? s : slice_of("-", 1);
}

static struct slice not_dash(struct slice s)
{
    return s.n == 1 && s.p[0] == '-' ? slice_of("", 0) : s;
}

static void add_field(struct buffer *out, struct slice s)
{
    moil_buffer_add_slice(out, or_dash(s));
    moil_buffer_add_char(out, ' ');
}

static void add_number(struct buffer *out, int64_t v, char after)
{
    moil_buffer_add_int(out, v);
    moil_buffer_add_char(out, after);
}

void moil_message_encode(const struct job *job, struct buffer *out)
{
    struct slice args = job->args.n ? job->args : slice_of("[]", 2);
    moil_buffer_add(out, "J1 ", 3);
    add_field(out, job->queue);
    add_number(out, job->priority, ' ');
    add_number(out, job->retries, ' ');
    add_number(out, job->crashes, ' ');
    add_number(out, job->losses, ' ');
    add_number(out, job->enqueued_us, ' ');
    add_field(out, job->task);
    add_number(out, (int64_t)args.n, ' ');
    add_number(out, (int64_t)job->kwargs.n, ' ');
    add_number(out, (int64_t)job->extra.n, '\n');
    moil_buffer_add_slice(out, args);
    moil_buffer_add_slice(out, job->kwargs);
    moil_buffer_add_slice(out, job->extra);
}

/* Reads the header into *j and the three lengths behind it. */
static bool read_header(struct cursor *c, struct slice record, struct job *j, int64_t lengths[3])
{
    if (!begin(c, record, "J1 "))
        return false;
    j->queue = next_field(c);
    j->priority = (int)next_int(c, MOIL_PRIORITIES - 1);
    j->retries = (uint32_t)next_int(c, UINT32_MAX);
    j->crashes = (uint32_t)next_int(c, UINT32_MAX);
    j->losses = (uint32_t)next_int(c, UINT32_MAX);
    j->enqueued_us = next_int(c, INT64_MAX);
    j->task = next_field(c);
    for (int i = 0; i < 3; i++)
        lengths[i] = next_int(c, INT32_MAX);
    end_header(c);
    return !c->bad;
}

struct slice moil_message_queue(struct slice record)
{
    struct cursor c;
    if (!begin(&c, record, "J1 "))
        return slice_of("", 0);
    struct slice queue = next_field(&c);
    next_int(&c, MOIL_PRIORITIES - 1);
    return c.bad || c.p[-1] != ' ' ? slice_of("", 0) : queue;
}

int moil_message_decode_header(struct slice line, struct job *job)
{
    struct cursor c;
    struct job j = {.id = job->id};
    int64_t lengths[3];
    if (!read_header(&c, line, &j, lengths))
        return MOIL_EBADMSG;
    *job = j;
    return 0;
}

int moil_message_decode(struct slice record, struct job *job)
{
    struct cursor c;
    struct job j = {.id = job->id};
    int64_t lengths[3];
    if (!read_header(&c, record, &j, lengths))
        return MOIL_EBADMSG;
    j.args = next_bytes(&c, lengths[0]);
    j.kwargs = next_bytes(&c, lengths[1]);
    j.extra = next_bytes(&c, lengths[2]);
    j.verdict = next_bytes(&c, c.bad ? 0 : c.end - c.p);
    if (c.bad || j.args.n < 2 || (j.verdict.n && j.verdict.p[0] != '{'))
        return MOIL_EBADMSG;
    *job = j;
    return 0;
}

void moil_outcome_encode(const struct outcome_record *o, struct buffer *out)
{
    moil_buffer_add(out, "R1 ", 3);
    add_field(out, o->state);
    add_field(out, o->queue);
    add_number(out, o->priority, ' ');
    add_number(out, o->retries, ' ');
    add_number(out, o->deliveries, ' ');
    add_number(out, o->enqueued_us, ' ');
    add_number(out, o->started_us, ' ');
    add_number(out, o->finished_us, ' ');
    add_number(out, o->expires_min, ' ');
    add_field(out, o->worker);
    add_field(out, o->task);
    add_number(out, (int64_t)o->value.n, ' ');
    add_number(out, (int64_t)o->body.n, '\n');
    moil_buffer_add_slice(out, o->value);
    moil_buffer_add_slice(out, o->body);
}

/* The header line of an R record, and how long what follows is. */
static void next_outcome(struct cursor *c, struct outcome_record *o, int64_t *value, int64_t *body)
{
    o->state = next_field(c);
    o->queue = not_dash(next_field(c));
    o->priority = (int)next_int(c, MOIL_PRIORITIES - 1);
    o->retries = (uint32_t)next_int(c, UINT32_MAX);
    o->deliveries = (uint32_t)next_int(c, UINT32_MAX);
    o->enqueued_us = next_int(c, INT64_MAX);
    o->started_us = next_int(c, INT64_MAX);
    o->finished_us = next_int(c, INT64_MAX);
    o->expires_min = next_int(c, EXPIRES_MIN_MAX);
    o->worker = not_dash(next_field(c));
    o->task = not_dash(next_field(c));
    *value = next_int(c, INT32_MAX);
    *body = next_int(c, INT32_MAX);
    end_header(c);
}

int moil_outcome_decode_header(struct slice record, struct outcome_record *out)
{
    struct cursor c;
    struct outcome_record o = {.value = {NULL, 0}};
    if (!begin(&c, record, "R1 "))
        return MOIL_EBADMSG;
    int64_t value, body;
    next_outcome(&c, &o, &value, &body);
    if (c.bad)
        return MOIL_EBADMSG;
    *out = o;
    return 0;
}

int moil_outcome_decode(struct slice record, struct outcome_record *out)
{
    struct cursor c;
    struct outcome_record o;
    if (!begin(&c, record, "R1 "))
        return MOIL_EBADMSG;
    int64_t value, body;
    next_outcome(&c, &o, &value, &body);
    o.value = next_bytes(&c, value);
    o.body = next_bytes(&c, body);
    if (c.bad || c.p != c.end)
        return MOIL_EBADMSG;
    *out = o;
    return 0;
}

int moil_note_decode(struct slice text, struct note *out)
{
    struct cursor c = {text.p, text.p + text.n, false};
    struct note n;
    n.state = next_field(&c);
    n.worker = next_field(&c);
    n.started_us = next_int(&c, INT64_MAX);
    end_header(&c);
    if (c.bad)
        return MOIL_EBADMSG;
    n.meta = slice_of(c.p, (size_t)(c.end - c.p));
    *out = n;
    return 0;
}
