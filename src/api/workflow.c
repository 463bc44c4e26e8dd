/* workflow.c: looking at workflows. A part of the client (client.h). */
#include <stdlib.h>
#include <string.h>

#include "api/client.h"
#include "base/error.h"
#include "base/mem.h"
#include "queue/message.h"
#include "queue/tree.h"

/* Failed jobs whose error is looked up: each is a question of its own, and the picture of a large
 * workflow shows a few. */
enum { ERRORS_MAX = 100 };

/* What a script is asked. */
struct question {
    struct tree *tree;
    struct tree_node *node; /* the group, or the failed job */
    struct slice id;
    size_t from, total;
    struct buffer *about; /* of an id that is no workflow: what it is */
};

static void fill_page(struct args *a, void *data)
{
    const struct question *q = data;
    moil_args_slice(a, q->id);
    moil_args_int(a, (int64_t)q->from);
    moil_args_int(a, MOIL_BATCH_MAX);
    if (q->node)
        moil_args_str(a, "t");
}

/* A page may be shorter than was asked for; an empty one is the last. */
static int take_page(void *data, const struct reply *reply)
{
    struct question *q = data;
    size_t words = moil_reply_count(reply), found = q->node ? words / 3 : words / 2;
    if (moil_reply_type(reply) == REPLY_NIL)
        return MOIL_STATUS_UNKNOWN;
    int err = q->node ? moil_tree_take_members(q->tree, q->node, reply, &q->total)
                      : moil_tree_take_lines(q->tree, reply, &q->total);
    q->from += found;
    if (!err && found == 0)
        q->total = q->from;
    return err;
}

static int read_pages(struct moil_client *c, enum script_id script, struct question *q)
{
    int status;
    do {
        moil_client_begin(c, c->deadline_s);
        status = moil_client_call(c, script, fill_page, take_page, q);
    } while (status == 0 && q->from < q->total);
    if (status == MOIL_STATUS_TOO_LARGE)
        moil_client_fail(c, status, "the workflow has more than %d jobs", MOIL_TREE_NODES_MAX);
    return status;
}

/* The members of each group; of a group that is gone there are none. */
static int read_groups(struct moil_client *c, struct tree *t)
{
    for (struct tree_node *n = t->nodes; n; n = n->hh.next) {
        struct question q = {.tree = t, .node = n, .id = n->id};
        int status = n->is_group ? read_pages(c, SCRIPT_GATHER, &q) : 0;
        if (status && status != MOIL_STATUS_UNKNOWN)
            return status;
    }
    return 0;
}

static void fill_id(struct args *a, void *data)
{
    moil_args_slice(a, ((struct question *)data)->id);
}

static int take_error(void *data, const struct reply *reply)
{
    struct question *q = data;
    struct outcome_record ended;
    struct slice record = moil_reply_slice(moil_reply_at(reply, 0));
    if (moil_record_is_outcome(record) && moil_outcome_decode(record, &ended) == 0)
        moil_tree_set_error(q->node, ended.value);
    return 0;
}

static bool has_failed(const struct tree_node *n)
{
    return slice_is(n->state, "FAILURE") || slice_is(n->state, "REVOKED");
}

/* Not because of what it comes after, as far as the tree tells. */
static bool failed_by_itself(const struct tree *t, const struct tree_node *n)
{
    struct slice after = n->after.n || !n->group ? n->after : n->group->after;
    const struct tree_node *before = after.n ? moil_tree_find(t, after) : NULL;
    return slice_is(n->state, "FAILURE") && !(before && has_failed(before));
}

/* Those that failed by themselves, or the others. */
static int read_errors_of(struct moil_client *c, struct tree *t, bool by_itself, size_t *count)
{
    for (struct tree_node *n = t->nodes; n && *count < ERRORS_MAX; n = n->hh.next) {
        struct question q = {.tree = t, .node = n, .id = n->id};
        if (n->is_group || !has_failed(n) || failed_by_itself(t, n) != by_itself)
            continue;
        ++*count;
        moil_client_begin(c, c->deadline_s);
        int status = moil_client_call(c, SCRIPT_INSPECT, fill_id, take_error, &q);
        if (status)
            return status;
    }
    return 0;
}

static int read_errors(struct moil_client *c, struct tree *t)
{
    size_t count = 0;
    int status = read_errors_of(c, t, true, &count);
    return status ? status : read_errors_of(c, t, false, &count);
}

/* --- an id that is no workflow's ---------------------------------------------------------------
 */

/* The string under a key of JSON text, or NULL; moil_mem_free() it. */
static char *string_in(struct slice json, const char *key)
{
    json_t *o = json.n ? json_loadb(json.p, json.n, JSON_ALLOW_NUL, NULL) : NULL;
    const char *s = json_string_value(json_object_get(o, key));
    char *copy = s ? moil_mem_strdup(s) : NULL;
    json_decref(o);
    return copy;
}

/* A group within a workflow, or one whose lines have expired, is drawn by its members. */
static int take_group(const struct question *q, struct slice state)
{
    struct buffer line;
    moil_buffer_init(&line);
    moil_buffer_addf(&line, "%.*s group - moil.group", (int)q->id.n, q->id.p);
    int err =
        line.failed ? MOIL_ENOMEM : moil_tree_add_line(q->tree, moil_buffer_slice(&line), state);
    moil_buffer_fini(&line);
    return err;
}

static void tell_job(const struct question *q, struct slice extra)
{
    char *group = string_in(extra, "group_id");
    if (group)
        moil_buffer_addf(q->about, "%.*s is a member of a group: moil inspect workflow %s",
                         (int)q->id.n, q->id.p, group);
    else
        moil_buffer_addf(q->about,
                         "%.*s is a job: moil inspect job %.*s (a workflow has the id of its last "
                         "job, its group or its chord's body)",
                         (int)q->id.n, q->id.p, (int)q->id.n, q->id.p);
    moil_mem_free(group);
}

static int take_other(void *data, const struct reply *reply)
{
    const struct question *q = data;
    struct slice record = moil_reply_slice(moil_reply_at(reply, 0));
    struct job job = {.id = q->id};
    struct outcome_record ended = {.task = {NULL, 0}};
    if (moil_reply_type(reply) == REPLY_NIL)
        return MOIL_STATUS_UNKNOWN;
    if (moil_message_decode(record, &job) == 0 && slice_is(job.task, "moil.group"))
        return take_group(q, slice_str("DEFERRED"));
    if (moil_outcome_decode(record, &ended) == 0 && slice_is(ended.task, "moil.group"))
        return take_group(q, ended.state);
    tell_job(q, job.extra);
    return 0;
}

/* 0 where it is a group's; else MOIL_STATUS_UNKNOWN with the sentence, or why that could not be
 * found out. */
static int look_for_group(struct moil_client *c, struct tree *t, struct slice id)
{
    struct buffer about;
    struct question q = {.tree = t, .id = id, .about = &about};
    moil_buffer_init(&about);
    moil_client_begin(c, c->deadline_s);
    int status = moil_client_call(c, SCRIPT_INSPECT, fill_id, take_other, &q);
    if (status == 0 && about.len > 0)
        status = moil_client_fail(c, MOIL_STATUS_UNKNOWN, "%s", moil_buffer_cstr(&about));
    else if (status == MOIL_STATUS_UNKNOWN)
        moil_client_fail(c, status,
                         "no workflow has the id %.*s: it was never enqueued, or has expired",
                         (int)id.n, id.p);
    moil_buffer_fini(&about);
    return status;
}

int moil_inspect_workflow(moil_client *c, const char *id, char **json)
{
    struct tree tree;
    struct question q = {.tree = &tree, .id = slice_str(id)};
    char *text = NULL;
    moil_client_begin(c, c->deadline_s);
    if (!moil_name_is_valid(q.id))
        return moil_client_fail(c, MOIL_STATUS_INVALID,
                                "an id is 1 to 200 printable characters without space");
    moil_tree_init(&tree);
    int status = read_pages(c, SCRIPT_WORKFLOW, &q);
    if (status == MOIL_STATUS_UNKNOWN)
        status = look_for_group(c, &tree, q.id);
    if (!status)
        status = read_groups(c, &tree);
    if (!status)
        status = read_errors(c, &tree);
    if (!status) {
        moil_tree_order(&tree, q.id);
        text = moil_tree_json(&tree, q.id);
        status = text ? 0 : moil_client_fail(c, MOIL_STATUS_NOMEM, "out of memory");
    }
    moil_tree_fini(&tree);
    if (!status)
        *json = text;
    return status;
}
