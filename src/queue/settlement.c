/* settlement.c: see settlement.h. A batch is a list of verdicts whose bytes lie in one text; ARGV
 * is laid out when it is sent. */
#include "queue/settlement.h"

#include <stdlib.h>

#include "base/error.h"

enum verdict { VERDICT_DROP, VERDICT_END, VERDICT_DEAD, VERDICT_RETRY, VERDICT_REQUEUE };

struct entry {
    enum verdict verdict;
    size_t id_at, id_len;         /* in `text` */
    size_t record_at, record_len; /* the record; of a requeue, the queue */
    int64_t number;               /* minute, delay or priority */
};

struct settlement {
    struct buffer text;
    size_t count;
    struct entry entries[MOIL_BATCH_MAX];
};

struct settlement *moil_settlement_new(void)
{
    struct settlement *s = malloc(sizeof *s);
    if (!s)
        return NULL;
    s->count = 0;
    moil_buffer_init(&s->text);
    return s;
}

void moil_settlement_free(struct settlement *s)
{
    if (!s)
        return;
    moil_buffer_fini(&s->text);
    free(s);
}

void moil_settlement_clear(struct settlement *s)
{
    s->count = 0;
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

int moil_settlement_drop(struct settlement *s, struct slice id)
{
    return add(s, VERDICT_DROP, id, slice_of("", 0), 0);
}

int moil_settlement_end(struct settlement *s, struct slice id, struct slice record,
                        int64_t expires_min)
{
    return add(s, VERDICT_END, id, record, expires_min);
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
        if (verdict != VERDICT_DROP)
            add_record(a, s, e);
        if (verdict == VERDICT_REQUEUE)
            moil_args_int(a, e->number);
    }
    moil_args_set_int(a, at, n);
}

/* Results in groups of one minute each: results of one batch rarely have more than one or two. */
static void add_ended(struct args *a, const struct settlement *s)
{
    bool done[MOIL_BATCH_MAX] = {false};
    size_t groups_at = a->count;
    int64_t groups = 0;
    moil_args_int(a, 0);
    for (size_t i = 0; i < s->count; i++) {
        if (done[i] || s->entries[i].verdict != VERDICT_END)
            continue;
        int64_t minute = s->entries[i].number, n = 0;
        moil_args_int(a, minute);
        size_t n_at = a->count;
        moil_args_int(a, 0);
        for (size_t k = i; k < s->count; k++) {
            const struct entry *e = &s->entries[k];
            if (e->verdict != VERDICT_END || e->number != minute || done[k])
                continue;
            done[k] = true;
            n++;
            add_id(a, s, e);
            add_record(a, s, e);
        }
        moil_args_set_int(a, n_at, n);
        groups++;
    }
    moil_args_set_int(a, groups_at, groups);
}

int moil_settlement_send(struct settlement *s, struct broker *b, struct slice incarnation,
                         link_call_cb *cb, void *data)
{
    struct args *a = &b->args;
    moil_args_clear(a);
    moil_args_slice(a, incarnation);
    add_section(a, s, VERDICT_DROP);
    add_ended(a, s);
    add_section(a, s, VERDICT_DEAD);
    add_section(a, s, VERDICT_RETRY);
    add_section(a, s, VERDICT_REQUEUE);
    return moil_broker_eval(b, SCRIPT_SETTLE, cb, data);
}
