/* inspect.c: looking at jobs, queues and nodes. A part of the client (client.h). */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "api/client.h"
#include "base/error.h"
#include "base/json_dump.h"
#include "base/mem.h"
#include "queue/describe.h"

enum {
    LIMIT_DEFAULT = 1000,
    PAGES_MAX = 4000, /* 1,000,000 jobs are looked at, however few of them are wanted */
};

/* What one reading script is asked, and where its answer goes. */
struct look {
    struct buffer *out;
    struct slice id;
    enum listing kind;
    struct listing_choice choice;
    size_t offset; /* of the next page */
    size_t found;  /* on the last one */
    bool filters;
};

static int give(struct moil_client *c, int status, struct buffer *text, char **json)
{
    if (!status && text->failed)
        status = moil_client_fail(c, MOIL_STATUS_NOMEM, "out of memory");
    if (!status && !(*json = moil_buffer_take(text, NULL)))
        status = moil_client_fail(c, MOIL_STATUS_NOMEM, "out of memory");
    moil_buffer_fini(text);
    return status;
}

static void fill_id(struct args *a, void *data)
{
    moil_args_slice(a, ((struct look *)data)->id);
}

static int take_job(void *data, const struct reply *reply)
{
    struct look *look = data;
    if (moil_reply_type(reply) == REPLY_NIL)
        return MOIL_STATUS_UNKNOWN;
    return moil_describe_job(look->id, reply, look->out);
}

int moil_inspect_job(moil_client *c, const char *id, char **json)
{
    struct buffer text;
    moil_buffer_init(&text);
    struct look look = {.out = &text, .id = slice_str(id)};
    moil_client_begin(c, c->deadline_s);
    if (!moil_name_is_valid(look.id))
        return moil_client_fail(c, MOIL_STATUS_INVALID,
                                "an id is 1 to 200 printable characters without space");
    int status = moil_client_call(c, SCRIPT_INSPECT, fill_id, take_job, &look);
    if (status == MOIL_STATUS_UNKNOWN)
        moil_client_fail(
            c, status,
            "no job under this id: never enqueued, or its result expired or was not kept");
    return give(c, status, &text, json);
}

static void fill_page(struct args *a, void *data)
{
    static const char *const places[] = {"inflight", "delayed", NULL, "pending", "deferred"};
    const struct look *look = data;
    const struct slice *queue = &look->choice.queue;
    if (look->kind != LISTING_DEAD) {
        moil_args_str(a, places[look->kind]);
        moil_args_slice(a, look->kind == LISTING_PENDING ? *queue : slice_str(""));
    }
    moil_args_int(a, (int64_t)look->offset);
    moil_args_int(a, look->filters || look->choice.limit > MOIL_BATCH_MAX
                         ? MOIL_BATCH_MAX
                         : (int64_t)look->choice.limit);
}

static int take_page(void *data, const struct reply *reply)
{
    struct look *look = data;
    look->found = moil_describe_list(look->kind, reply, &look->choice, look->out);
    return 0;
}

/* A page after the other, until there are enough, or it has looked at PAGES_MAX. */
static int list(struct moil_client *c, struct look *look)
{
    int pages = 0;
    look->filters = look->choice.task.p || look->choice.queue.p || look->choice.state.p;
    if (!look->filters) {
        look->offset = look->choice.skip;
        look->choice.skip = 0;
    }
    moil_buffer_add_char(look->out, '[');
    do {
        moil_client_begin(c, c->deadline_s);
        int status = moil_client_call(c, look->kind == LISTING_DEAD ? SCRIPT_DEAD : SCRIPT_LIST,
                                      fill_page, take_page, look);
        if (status)
            return status;
        look->offset += look->found;
    } while (look->found == MOIL_BATCH_MAX && look->choice.limit > 0 && ++pages < PAGES_MAX);
    moil_buffer_add_char(look->out, ']');
    return 0;
}

static int take_queues(void *data, const struct reply *reply)
{
    moil_describe_queues(reply, ((struct look *)data)->out);
    return 0;
}

static int take_nodes(void *data, const struct reply *reply)
{
    moil_describe_nodes(reply, ((struct look *)data)->out);
    return 0;
}

static int nodes(struct moil_client *c, struct buffer *out)
{
    struct look look = {.out = out};
    moil_client_begin(c, c->deadline_s);
    return moil_client_call(c, SCRIPT_NODES, NULL, take_nodes, &look);
}

/* The live nodes' reports; NULL with the status set. The caller drops the reference. */
static json_t *load_nodes(struct moil_client *c, int *status)
{
    struct buffer text;
    moil_buffer_init(&text);
    *status = nodes(c, &text);
    json_t *array = *status ? NULL : json_loadb(text.data, text.len, 0, NULL);
    if (!*status && !json_is_array(array)) {
        *status = moil_client_fail(c, MOIL_STATUS_BAD_RECORD, "a node's report is damaged");
        json_decref(array);
        array = NULL;
    }
    moil_buffer_fini(&text);
    return array;
}

/* [{"task", "nodes": […]}] of the tasks that live nodes serve. */
static int registered(struct moil_client *c, struct buffer *out)
{
    int status;
    json_t *array = load_nodes(c, &status), *tasks = json_object(), *task, *node;
    size_t i, k;
    json_array_foreach(array, i, node)
    {
        if (!json_is_true(json_object_get(node, "alive")))
            continue;
        json_array_foreach(json_object_get(node, "tasks"), k, task)
        {
            const char *name = json_string_value(task);
            if (name && !json_object_get(tasks, name))
                json_object_set_new(tasks, name, json_array());
            if (name)
                json_array_append(json_object_get(tasks, name), json_object_get(node, "node"));
        }
    }
    const char *name;
    json_t *who, *list_of = json_array();
    json_object_foreach(tasks, name, who)
        json_array_append_new(list_of, json_pack("{s:s, s:O}", "task", name, "nodes", who));
    char *text = moil_json_dump(list_of, JSON_COMPACT);
    if (text)
        moil_buffer_add_str(out, text);
    moil_mem_free(text);
    json_decref(list_of);
    json_decref(tasks);
    json_decref(array);
    return status;
}

/* Of the live nodes, how many workers serve the queue; those of quiet nodes too. */
static json_int_t count_workers(const json_t *nodes, const char *queue)
{
    json_int_t count = 0;
    json_t *node, *name;
    size_t i, k;
    json_array_foreach(nodes, i, node)
    {
        if (!json_is_true(json_object_get(node, "alive")))
            continue;
        json_array_foreach(json_object_get(node, "queues"), k, name)
        {
            const char *served = json_string_value(name);
            if (served && strcmp(served, queue) == 0)
                count += (json_int_t)json_array_size(json_object_get(node, "workers"));
        }
    }
    return count;
}

static int by_name(const void *a, const void *b)
{
    const char *x = json_string_value(json_object_get(*(json_t *const *)a, "queue"));
    const char *y = json_string_value(json_object_get(*(json_t *const *)b, "queue"));
    return x && y ? strcmp(x, y) : !x - !y; /* the totals last */
}

/* The queues in order of their names, each with how many workers serve it; the totals also with
 * what is pending. The text is taken, and written anew. */
static int add_workers(struct moil_client *c, struct buffer *text)
{
    int status;
    json_t *array = json_loadb(text->data, text->len, 0, NULL), *nodes = load_nodes(c, &status);
    size_t i, count = json_array_size(array);
    json_t **rows = count ? moil_mem_zalloc(count, sizeof *rows) : NULL;
    json_int_t pending = 0;
    if (!status && !rows)
        status = moil_client_fail(c, MOIL_STATUS_NOMEM, "out of memory");
    for (i = 0; rows && i < count; i++) {
        rows[i] = json_incref(json_array_get(array, i));
        const char *queue = json_string_value(json_object_get(rows[i], "queue"));
        pending += json_integer_value(json_object_get(rows[i], "pending"));
        if (queue)
            json_object_set_new(rows[i], "workers", json_integer(count_workers(nodes, queue)));
        else
            json_object_set_new(rows[i], "pending", json_integer(pending));
    }
    if (rows)
        qsort(rows, count, sizeof *rows, by_name);
    json_array_clear(array);
    for (i = 0; rows && i < count; i++)
        json_array_append_new(array, rows[i]);
    char *sorted = status ? NULL : moil_json_dump(array, JSON_COMPACT | JSON_REAL_PRECISION(16));
    moil_buffer_clear(text);
    if (sorted)
        moil_buffer_add_str(text, sorted);
    moil_mem_free(sorted);
    moil_mem_free(rows);
    json_decref(nodes);
    json_decref(array);
    return status;
}

static int queues(struct moil_client *c, struct look *look)
{
    int status = moil_client_call(c, SCRIPT_QUEUES, NULL, take_queues, look);
    return status ? status : add_workers(c, look->out);
}

/* The sentence of a wrong filter; NULL: it is fine. */
static const char *refuse_filter(moil_view view, const moil_filter *f)
{
    bool of_jobs = view == MOIL_VIEW_ACTIVE || view == MOIL_VIEW_SCHEDULED ||
                   view == MOIL_VIEW_DEAD || view == MOIL_VIEW_PENDING ||
                   view == MOIL_VIEW_DEFERRED;
    if (!f || (!f->task && !f->queue && !f->state))
        return NULL;
    if (!of_jobs)
        return "only views of jobs can be filtered";
    if ((f->task && !moil_name_is_valid(slice_str(f->task))) ||
        (f->queue && !moil_name_is_valid(slice_str(f->queue))) ||
        (f->state && !moil_name_is_valid(slice_str(f->state))))
        return "a task, queue or state is 1 to 200 printable characters without space";
    return NULL;
}

static int look_at(struct moil_client *c, moil_view view, struct look *look)
{
    switch (view) {
    case MOIL_VIEW_QUEUES:
        return queues(c, look);
    case MOIL_VIEW_ACTIVE:
        look->kind = LISTING_INFLIGHT;
        return list(c, look);
    case MOIL_VIEW_SCHEDULED:
        look->kind = LISTING_DELAYED;
        return list(c, look);
    case MOIL_VIEW_DEAD:
        look->kind = LISTING_DEAD;
        return list(c, look);
    case MOIL_VIEW_PENDING:
        look->kind = LISTING_PENDING;
        if (!look->choice.queue.p)
            look->choice.queue = slice_str("default");
        return list(c, look);
    case MOIL_VIEW_DEFERRED:
        look->kind = LISTING_DEFERRED;
        return list(c, look);
    case MOIL_VIEW_NODES:
        return nodes(c, look->out);
    case MOIL_VIEW_REGISTERED:
        return registered(c, look->out);
    }
    return moil_client_fail(c, MOIL_STATUS_INVALID, "there is no view %d", (int)view);
}

int moil_inspect_matching(moil_client *c, moil_view view, const moil_filter *filter, size_t offset,
                          size_t limit, char **json)
{
    static const moil_filter none;
    struct buffer text;
    const moil_filter *f = filter ? filter : &none;
    const char *why = refuse_filter(view, f);
    struct look look = {.out = &text,
                        .choice = {.task = slice_str(f->task),
                                   .queue = slice_str(f->queue),
                                   .state = slice_str(f->state),
                                   .skip = offset,
                                   .limit = limit ? limit : LIMIT_DEFAULT}};
    moil_client_begin(c, c->deadline_s);
    if (why)
        return moil_client_fail(c, MOIL_STATUS_INVALID, "%s", why);
    moil_buffer_init(&text);
    return give(c, look_at(c, view, &look), &text, json);
}

int moil_inspect(moil_client *c, moil_view view, size_t offset, size_t limit, char **json)
{
    return moil_inspect_matching(c, view, NULL, offset, limit, json);
}

int moil_is_served(moil_client *c, const char *queue)
{
    int status, served = 0;
    json_t *array = load_nodes(c, &status), *node, *name;
    size_t i, k;
    json_array_foreach(array, i, node)
    {
        if (!json_is_true(json_object_get(node, "alive")) ||
            json_array_size(json_object_get(node, "workers")) == 0)
            continue;
        if (!queue)
            served = 1;
        json_array_foreach(json_object_get(node, "queues"), k,
                           name) if (queue && json_is_string(name) &&
                                     strcmp(json_string_value(name), queue) == 0) served = 1;
    }
    json_decref(array);
    return status ? status : served;
}
