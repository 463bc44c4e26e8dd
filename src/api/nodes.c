/* nodes.c: see nodes.h. */
#include "api/nodes.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/moil.h"
#include "base/json_dump.h"
#include "base/mem.h"

/* NULL when it is damaged, or out of memory. The caller drops the reference. */
static json_t *load(struct slice nodes)
{
    json_t *array = json_loadb(nodes.p ? nodes.p : "", nodes.n, 0, NULL);
    if (json_is_array(array))
        return array;
    json_decref(array);
    return NULL;
}

static void add_limit(json_t *row, const char *key, const char *word)
{
    if (strcmp(word, "none") == 0)
        json_object_set_new(row, key, json_false());
    else if (strcmp(word, "-") != 0)
        json_object_set_new(row, key, json_real(strtod(word, NULL)));
}

static void add_limits(json_t *row, const json_t *words)
{
    char hard[32], soft[32];
    const char *text = json_string_value(words);
    if (text && sscanf(text, "%31s %31s", hard, soft) == 2) {
        add_limit(row, "time_limit", hard);
        add_limit(row, "soft_time_limit", soft);
    }
}

int moil_nodes_list_tasks(struct slice nodes, struct buffer *text)
{
    json_t *limits = json_loadb(text->data, text->len, 0, NULL), *array = load(nodes),
           *tasks = json_object(), *task, *node;
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
    {
        json_t *row = json_pack("{s:s, s:O}", "task", name, "nodes", who);
        add_limits(row, json_object_get(limits, name));
        json_array_append_new(list_of, row);
    }
    char *written = moil_json_dump(list_of, JSON_COMPACT | JSON_REAL_PRECISION(16));
    moil_buffer_clear(text);
    if (written)
        moil_buffer_add_str(text, written);
    moil_mem_free(written);
    json_decref(limits);
    json_decref(list_of);
    json_decref(tasks);
    int status = array ? 0 : MOIL_STATUS_BAD_RECORD;
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

int moil_nodes_add_workers(struct slice reports, struct buffer *text)
{
    json_t *array = json_loadb(text->data, text->len, 0, NULL), *nodes = load(reports);
    int status = nodes ? 0 : MOIL_STATUS_BAD_RECORD;
    size_t i, count = json_array_size(array);
    json_t **rows = count ? moil_mem_zalloc(count, sizeof *rows) : NULL;
    json_int_t pending = 0;
    if (!status && !rows)
        status = MOIL_STATUS_NOMEM;
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

static bool is_served_by(const json_t *node, const char *queue)
{
    json_t *name;
    size_t i;
    if (!json_is_true(json_object_get(node, "alive")) ||
        json_array_size(json_object_get(node, "workers")) == 0)
        return false;
    json_array_foreach(json_object_get(node, "queues"), i, name)
    {
        if (queue && json_is_string(name) && strcmp(json_string_value(name), queue) == 0)
            return true;
    }
    return !queue;
}

int moil_nodes_serve(struct slice nodes, const char *queue)
{
    json_t *array = load(nodes), *node;
    size_t i;
    int served = array ? 0 : MOIL_STATUS_BAD_RECORD;
    json_array_foreach(array, i, node)
    {
        if (is_served_by(node, queue))
            served = 1;
    }
    json_decref(array);
    return served;
}
