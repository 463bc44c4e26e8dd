/* inspect.c: looking at jobs, queues and nodes. A part of the client (client.h). */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "api/client.h"
#include "base/error.h"
#include "base/json_dump.h"
#include "base/mem.h"
#include "queue/describe.h"

enum { LIMIT_DEFAULT = 1000 };

/* What one reading script is asked, and where its answer goes. */
struct look {
    struct buffer *out;
    struct slice id;
    enum listing kind;
    size_t offset, limit; /* of the next page */
    size_t found;         /* on it */
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
    const struct look *look = data;
    if (look->kind != LISTING_DEAD) {
        moil_args_str(a, look->kind == LISTING_DELAYED ? "delayed" : "inflight");
        moil_args_str(a, "");
    }
    moil_args_int(a, (int64_t)look->offset);
    moil_args_int(a, (int64_t)(look->limit < MOIL_BATCH_MAX ? look->limit : MOIL_BATCH_MAX));
}

static int take_page(void *data, const struct reply *reply)
{
    struct look *look = data;
    size_t before = look->out->len;
    if (before > 1)
        moil_buffer_add_char(look->out, ',');
    look->found = moil_describe_list(look->kind, reply, look->out);
    if (!look->found)
        look->out->len = before;
    return 0;
}

static int list(struct moil_client *c, enum listing kind, size_t offset, size_t limit,
                struct buffer *out)
{
    struct look look = {.out = out, .kind = kind, .offset = offset, .limit = limit};
    moil_buffer_add_char(out, '[');
    while (look.limit > 0) {
        moil_client_begin(c, c->deadline_s);
        int status = moil_client_call(c, kind == LISTING_DEAD ? SCRIPT_DEAD : SCRIPT_LIST,
                                      fill_page, take_page, &look);
        if (status)
            return status;
        if (look.found < MOIL_BATCH_MAX)
            break;
        look.offset += look.found;
        look.limit -= look.found;
    }
    moil_buffer_add_char(out, ']');
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

int moil_inspect(moil_client *c, moil_view view, size_t offset, size_t limit, char **json)
{
    struct buffer text;
    struct look look = {.out = &text};
    int status = MOIL_STATUS_INVALID;
    moil_buffer_init(&text);
    limit = limit ? limit : LIMIT_DEFAULT;
    moil_client_begin(c, c->deadline_s);
    switch (view) {
    case MOIL_VIEW_QUEUES:
        status = moil_client_call(c, SCRIPT_QUEUES, NULL, take_queues, &look);
        break;
    case MOIL_VIEW_ACTIVE:
        status = list(c, LISTING_INFLIGHT, offset, limit, &text);
        break;
    case MOIL_VIEW_SCHEDULED:
        status = list(c, LISTING_DELAYED, offset, limit, &text);
        break;
    case MOIL_VIEW_DEAD:
        status = list(c, LISTING_DEAD, offset, limit, &text);
        break;
    case MOIL_VIEW_NODES:
        status = nodes(c, &text);
        break;
    case MOIL_VIEW_REGISTERED:
        status = registered(c, &text);
        break;
    }
    if (status == MOIL_STATUS_INVALID)
        moil_client_fail(c, status, "there is no view %d", (int)view);
    return give(c, status, &text, json);
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
