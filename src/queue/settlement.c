/* settlement.c: see settlement.h. A batch is a list of verdicts whose bytes lie in one text; ARGV
 * is laid out when it is sent. */
#include "queue/settlement.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"

enum verdict {
    VERDICT_DROP,
    VERDICT_END,
    VERDICT_DEAD,
    VERDICT_RETRY,
    VERDICT_REQUEUE,
    VERDICT_REPLACE,
};

struct entry {
    enum verdict verdict;
    size_t id_at, id_len;         /* in `text` */
    size_t record_at, record_len; /* the record; of a requeue, the queue; of a replaced job, the
                                     token */
    int64_t number;               /* delay or priority; of what ended, its group */
};

/* What ended alike: one queue, state and minute. A batch has few of them. */
struct group {
    enum verdict verdict;
    const char *state;
    size_t queue_at, queue_len; /* in `text` */
    int64_t minute;
    int64_t count;
};

struct settlement {
    struct buffer text;
    size_t count;
    struct entry entries[MOIL_BATCH_MAX];
    size_t group_count;
    struct group groups[MOIL_BATCH_MAX];
    bool doubt;
    unsigned linked;
};

struct settlement *moil_settlement_new(void)
{
    struct settlement *s = moil_mem_alloc(sizeof *s);
    if (!s)
        return NULL;
    moil_buffer_init(&s->text);
    moil_settlement_clear(s);
    return s;
}

void moil_settlement_free(struct settlement *s)
{
    if (!s)
        return;
    moil_buffer_fini(&s->text);
    moil_mem_free(s);
}

void moil_settlement_clear(struct settlement *s)
{
    s->count = s->group_count = 0;
    s->doubt = false;
    s->linked = 0;
    moil_buffer_clear(&s->text);
}

size_t moil_settlement_count(const struct settlement *s)
{
    return s->count;
}

size_t moil_settlement_bytes(const struct settlement *s)
{
    return s->text.len;
}

unsigned moil_settlement_linked(const struct settlement *s)
{
    return s->linked;
}

static int add(struct settlement *s, enum verdict verdict, struct slice id, struct slice record,
               int64_t number)
{
    if (s->count == MOIL_BATCH_MAX || !moil_buffer_reserve(&s->text, id.n + record.n)) {
        s->text.failed = false;
        return MOIL_ENOMEM;
    }
    struct entry *e = &s->entries[s->count++];
    *e = (struct entry){verdict, s->text.len, id.n, s->text.len + id.n, record.n, number};
    moil_buffer_add_slice(&s->text, id);
    moil_buffer_add_slice(&s->text, record);
    return 0;
}

static struct slice group_queue(const struct settlement *s, const struct group *g)
{
    return slice_of(s->text.data + g->queue_at, g->queue_len);
}

/* The group of what ends like this, made where there is none; -1: out of memory. The last one
 * first: jobs mostly end like the ones before them. */
static int64_t group_of(struct settlement *s, enum verdict verdict, const struct ending *how)
{
    for (size_t i = s->group_count; i-- > 0;) {
        const struct group *g = &s->groups[i];
        if (g->verdict == verdict && g->minute == how->expires_min && g->state == how->state &&
            slice_eq(group_queue(s, g), how->queue))
            return (int64_t)i;
    }
    if (s->group_count == MOIL_BATCH_MAX || !moil_buffer_reserve(&s->text, how->queue.n)) {
        s->text.failed = false;
        return -1;
    }
    s->groups[s->group_count] = (struct group){.verdict = verdict,
                                               .state = how->state,
                                               .queue_at = s->text.len,
                                               .queue_len = how->queue.n,
                                               .minute = how->expires_min};
    moil_buffer_add_slice(&s->text, how->queue);
    return (int64_t)s->group_count++;
}

static int add_ended(struct settlement *s, enum verdict verdict, struct slice id,
                     struct slice record, const struct ending *how)
{
    int64_t group = group_of(s, verdict, how);
    int err = group < 0 ? MOIL_ENOMEM : add(s, verdict, id, record, group);
    if (!err) {
        s->groups[group].count++;
        s->linked += how->linked;
    }
    return err;
}

int moil_settlement_drop(struct settlement *s, struct slice id, const struct ending *how)
{
    return add_ended(s, VERDICT_DROP, id, slice_of("", 0), how);
}

int moil_settlement_end(struct settlement *s, struct slice id, struct slice record,
                        const struct ending *how)
{
    return add_ended(s, VERDICT_END, id, record, how);
}

int moil_settlement_dead(struct settlement *s, struct slice id, struct slice record)
{
    return add(s, VERDICT_DEAD, id, record, 0);
}

int moil_settlement_retry(struct settlement *s, struct slice id, struct slice record,
                          int64_t delay_ms)
{
    return add(s, VERDICT_RETRY, id, record, delay_ms);
}

int moil_settlement_requeue(struct settlement *s, struct slice id, struct slice queue, int priority)
{
    return add(s, VERDICT_REQUEUE, id, queue, priority);
}

int moil_settlement_replace(struct settlement *s, struct slice id, struct slice token)
{
    return add(s, VERDICT_REPLACE, id, token, 0);
}

void moil_settlement_doubt(struct settlement *s)
{
    s->doubt = true;
}

/* --- ARGV ------------------------------------------------------------------------------------- */

static void add_id(struct args *a, const struct settlement *s, const struct entry *e)
{
    moil_args_add(a, s->text.data + e->id_at, e->id_len);
}

static void add_record(struct args *a, const struct settlement *s, const struct entry *e)
{
    moil_args_add(a, s->text.data + e->record_at, e->record_len);
}

/* The entries of one kind behind their count. */
static void add_section(struct args *a, const struct settlement *s, enum verdict verdict)
{
    size_t at = a->count;
    int64_t n = 0;
    moil_args_int(a, 0);
    for (size_t k = 0; k < s->count; k++) {
        const struct entry *e = &s->entries[k];
        if (e->verdict != verdict)
            continue;
        n++;
        add_id(a, s, e);
        if (verdict == VERDICT_RETRY)
            moil_args_int(a, e->number);
        add_record(a, s, e);
        if (verdict == VERDICT_REQUEUE)
            moil_args_int(a, e->number);
    }
    moil_args_set_int(a, at, n);
}

/* One group: what its entries have in common, their number, and the entries. */
static void add_group(struct args *a, const struct settlement *s, size_t group)
{
    const struct group *g = &s->groups[group];
    if (g->verdict == VERDICT_END)
        moil_args_int(a, g->minute);
    moil_args_str(a, g->state);
    moil_args_slice(a, group_queue(s, g));
    moil_args_int(a, g->count);
    for (size_t i = 0; i < s->count; i++) {
        const struct entry *e = &s->entries[i];
        if (e->verdict != g->verdict || e->number != (int64_t)group)
            continue;
        add_id(a, s, e);
        if (g->verdict == VERDICT_END)
            add_record(a, s, e);
    }
}

static void add_groups(struct args *a, const struct settlement *s, enum verdict verdict)
{
    size_t at = a->count;
    int64_t n = 0;
    moil_args_int(a, 0);
    for (size_t i = 0; i < s->group_count; i++) {
        if (s->groups[i].verdict == verdict && s->groups[i].count > 0) {
            add_group(a, s, i);
            n++;
        }
    }
    moil_args_set_int(a, at, n);
}

int moil_settlement_send(struct settlement *s, struct broker *b, const struct settler_room *room,
                         link_call_cb *cb, void *data)
{
    struct args *a = &b->args;
    moil_args_clear(a);
    moil_args_slice(a, room->incarnation);
    moil_args_int(a, (int64_t)s->count);
    moil_args_str(a, s->doubt ? "1" : "0");
    add_groups(a, s, VERDICT_DROP);
    add_groups(a, s, VERDICT_END);
    add_section(a, s, VERDICT_DEAD);
    add_section(a, s, VERDICT_RETRY);
    add_section(a, s, VERDICT_REQUEUE);
    add_section(a, s, VERDICT_REPLACE);
    if (room->want > 0) {
        moil_args_int(a, room->want);
        for (size_t i = 0; i < room->count; i++)
            moil_args_slice(a, room->queues[i]);
    }
    return moil_broker_eval(b, SCRIPT_SETTLE, cb, data);
}
