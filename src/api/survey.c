/* survey.c: see survey.h.
 *
 * The pages of survey.lua come one after the other, so what they say together may be wrong: a job
 * that one says must stand in a list may be fetched before that list is read. So they only make
 * suspects, and verify.lua, which looks for one job everywhere at once, has the last word. */
#include "api/survey.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
    PAGE = 100, /* holds Redis for half a millisecond */
    SUSPECTS_MAX = 100000,
    TOLD_MAX = 100, /* of what is wrong, the rest is only counted */
};

/* A job that must stand in a list, or a deferred one, which some ends must be to come for. */
struct expected {
    UT_hash_handle hh;
    bool seen;
    int64_t open;
    char id[];
};

struct survey {
    struct moil_client *client;
    const char *what, *name; /* of the structure whose page is asked for */
    char cursor[24];
    struct expected *expected;
    struct expected *deferred;
    struct buffer names;    /* of lists or incarnations, each with its NUL */
    struct buffer suspects; /* id, and its list or "", each with its NUL */
    size_t suspect_count;
    size_t at, batch; /* verifying: where in suspects, and how many were sent */
    struct buffer *differences;
    int wrong;
    bool failed; /* out of memory */
};

static void add_text(struct buffer *out, struct slice s)
{
    moil_buffer_add_slice(out, s);
    moil_buffer_add_char(out, '\0');
}

static void suspect(struct survey *s, struct slice id, const char *list)
{
    if (s->suspect_count == SUSPECTS_MAX)
        return;
    add_text(&s->suspects, id);
    add_text(&s->suspects, slice_str(list));
    s->suspect_count++;
}

/* --- pages ------------------------------------------------------------------------------------ */

static void expect(struct survey *s, struct expected **table, struct slice id, int64_t open)
{
    struct expected *e;
    HASH_FIND(hh, *table, id.p, id.n, e);
    if (e)
        return; /* a scan may bring the same twice */
    e = moil_mem_zalloc(1, sizeof *e + id.n + 1);
    if (!e) {
        s->failed = true;
        return;
    }
    e->open = open;
    memcpy(e->id, id.p, id.n);
    HASH_ADD_KEYPTR(hh, *table, e->id, id.n, e);
    if (!e->hh.tbl) {
        moil_mem_free(e);
        s->failed = true;
    }
}

static void meet(struct survey *s, struct slice id)
{
    struct expected *e;
    HASH_FIND(hh, s->expected, id.p, id.n, e);
    if (e && e->seen)
        suspect(s, id, s->name);
    if (e)
        e->seen = true;
}

/* A link leads to it: one of the ends that it waits for is to come. */
static void lead_to(struct survey *s, struct slice id)
{
    struct expected *e;
    HASH_FIND(hh, s->deferred, id.p, id.n, e);
    if (e)
        e->open--;
}

/* The ids of one page. */
static void take_listed(struct survey *s, const struct reply *listed)
{
    bool are_jobs = strcmp(s->what, "jobs") == 0, is_list = strcmp(s->what, "list") == 0;
    bool are_deferred = strcmp(s->what, "deferred") == 0;
    for (size_t i = 0; i < moil_reply_count(listed); i += are_deferred ? 2 : 1) {
        struct slice id = moil_reply_slice(moil_reply_at(listed, i));
        if (are_jobs)
            expect(s, &s->expected, id, 0);
        else if (is_list)
            meet(s, id);
        else if (are_deferred)
            expect(s, &s->deferred, id, moil_reply_integer(moil_reply_at(listed, i + 1)));
        else if (strcmp(s->what, "links") == 0)
            lead_to(s, id);
        else
            add_text(&s->names, id);
    }
}

static void fill_page(struct args *a, void *data)
{
    const struct survey *s = data;
    moil_args_str(a, s->what);
    moil_args_str(a, s->cursor);
    moil_args_int(a, PAGE);
    moil_args_str(a, s->name);
}

static int take_page(void *data, const struct reply *reply)
{
    struct survey *s = data;
    struct slice cursor = moil_reply_slice(moil_reply_at(reply, 0));
    const struct reply *suspects = moil_reply_at(reply, 2);
    if (cursor.n == 0 || cursor.n >= sizeof s->cursor)
        return MOIL_STATUS_BAD_RECORD;
    memcpy(s->cursor, cursor.p, cursor.n);
    s->cursor[cursor.n] = '\0';
    take_listed(s, moil_reply_at(reply, 1));
    for (size_t i = 0; i < moil_reply_count(suspects); i++)
        suspect(s, moil_reply_slice(moil_reply_at(suspects, i)),
                strcmp(s->what, "list") == 0 ? s->name : "");
    return 0;
}

/* All pages of one structure. */
static int look_at(struct survey *s, const char *what, const char *name)
{
    s->what = what;
    s->name = name;
    memcpy(s->cursor, "0", 2);
    do {
        moil_client_begin(s->client, s->client->deadline_s);
        int status = moil_client_call(s->client, SCRIPT_SURVEY, fill_page, take_page, s);
        if (status)
            return status;
    } while (strcmp(s->cursor, "0") != 0);
    return 0;
}

/* The structures of one kind: each list, or each incarnation's set. */
static int look_at_each(struct survey *s, const char *names, const char *const *whats)
{
    moil_buffer_clear(&s->names);
    int status = look_at(s, names, "");
    for (size_t at = 0; at < s->names.len && !status; at += strlen(s->names.data + at) + 1)
        for (size_t k = 0; whats[k] && !status; k++)
            status = look_at(s, whats[k], s->names.data + at);
    return status;
}

static int look_at_all(struct survey *s)
{
    static const char *const whole[] = {"jobs",    "delayed",  "dead", "running",
                                        "waiters", "deferred", "links"};
    int status = 0;
    for (size_t i = 0; i < sizeof whole / sizeof *whole && !status; i++)
        status = look_at(s, whole[i], "");
    if (!status)
        status = look_at_each(s, "lists", (const char *const[]){"list", NULL});
    if (!status)
        status =
            look_at_each(s, "incarnations", (const char *const[]){"inflight", "recovering", NULL});
    return status;
}

/* Those that were in no list where they must be in one, and frees the rest. */
static void suspect_unseen(struct survey *s)
{
    struct expected *e = s->expected, *next;
    HASH_CLEAR(hh, s->expected); /* the table alone: its items are still linked */
    for (; e; e = next) {
        next = e->hh.next;
        if (!e->seen)
            suspect(s, slice_str(e->id), "");
        moil_mem_free(e);
    }
}

/* Those that wait for more ends than are to come, and frees the rest. */
static void suspect_stranded(struct survey *s)
{
    struct expected *e = s->deferred, *next;
    HASH_CLEAR(hh, s->deferred);
    for (; e; e = next) {
        next = e->hh.next;
        if (e->open > 0)
            suspect(s, slice_str(e->id), "deferred");
        moil_mem_free(e);
    }
}

/* --- the last word ---------------------------------------------------------------------------- */

static size_t skip(const struct survey *s, size_t at)
{
    at += strlen(s->suspects.data + at) + 1;
    return at + strlen(s->suspects.data + at) + 1;
}

static void fill_suspects(struct args *a, void *data)
{
    struct survey *s = data;
    size_t at = s->at;
    s->batch = 0;
    while (at < s->suspects.len && s->batch < MOIL_BATCH_MAX) {
        const char *id = s->suspects.data + at;
        moil_args_str(a, id);
        moil_args_str(a, id + strlen(id) + 1);
        at = skip(s, at);
        s->batch++;
    }
}

static void tell(struct survey *s, struct slice id, struct slice why)
{
    struct buffer line;
    if (++s->wrong > TOLD_MAX)
        return;
    moil_buffer_init(&line);
    moil_buffer_addf(&line, "job %.*s %.*s", (int)id.n, id.p, (int)why.n, why.p);
    moil_buffer_add_json(s->differences, moil_buffer_slice(&line));
    moil_buffer_add_char(s->differences, ',');
    moil_buffer_fini(&line);
}

static int take_verdicts(void *data, const struct reply *reply)
{
    struct survey *s = data;
    int64_t done = moil_reply_integer(moil_reply_at(reply, 0));
    if (done < 1 || (size_t)done > s->batch)
        return MOIL_STATUS_BAD_RECORD;
    for (int64_t i = 0; i < done; i++)
        s->at = skip(s, s->at);
    for (size_t i = 1; i + 1 < moil_reply_count(reply); i += 2)
        tell(s, moil_reply_slice(moil_reply_at(reply, i)),
             moil_reply_slice(moil_reply_at(reply, i + 1)));
    return 0;
}

static int verify(struct survey *s)
{
    while (s->at < s->suspects.len) {
        moil_client_begin(s->client, s->client->deadline_s);
        int status = moil_client_call(s->client, SCRIPT_VERIFY, fill_suspects, take_verdicts, s);
        if (status)
            return status;
    }
    if (s->wrong > TOLD_MAX) {
        moil_buffer_addf(s->differences, "\"%d more jobs are not in order\",", s->wrong - TOLD_MAX);
    }
    return 0;
}

int moil_survey(struct moil_client *c, struct buffer *differences, int *count)
{
    struct survey s = {.client = c, .differences = differences};
    moil_buffer_init(&s.names);
    moil_buffer_init(&s.suspects);
    int status = look_at_all(&s);
    suspect_unseen(&s);
    suspect_stranded(&s);
    if (!status && (s.failed || s.names.failed || s.suspects.failed))
        status = moil_client_fail(c, MOIL_STATUS_NOMEM, "out of memory");
    if (!status)
        status = verify(&s);
    *count += s.wrong;
    moil_buffer_fini(&s.names);
    moil_buffer_fini(&s.suspects);
    return status;
}
