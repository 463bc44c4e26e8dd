/* beat_entry.c: see beat_entry.h. */
#include "cli/beat_entry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/moil.h"
#include "cli/arguments.h"
#include "cli/complaint.h"
#include "cli/connection.h"
#include "conf/route.h"
#include "conf/suggest.h"

enum { MESSAGE_BYTES = 512, TASKS_MAX = 1000 };

json_t *moil_beat_entry_number(double v)
{
    return v == floor(v) && fabs(v) < 1e15 ? json_integer((json_int_t)v) : json_real(v);
}

enum exit_status moil_beat_entry_add_json(json_t *entry, const char *key, const char *text,
                                          char kind)
{
    char why[MESSAGE_BYTES];
    if (!text) {
        return STATUS_DONE;
    }
    if (moil_arguments_check(text, strlen(text), kind, why, sizeof why) < 0) {
        return moil_complain_usage("--%s is %s", key, why);
    }
    json_object_set_new(entry, key, json_loads(text, JSON_ALLOW_NUL, NULL));
    return STATUS_DONE;
}

void moil_beat_entry_add_call(json_t *entry, const struct options *o, const char *task)
{
    char *routed = o->queue || !task ? NULL : moil_route_find(o->config_json, task);
    const char *queue = o->queue ? o->queue : routed;
    if (queue) {
        json_object_set_new(entry, "queue", json_string(queue));
    }
    free(routed);
    if (o->priority >= 0) {
        json_object_set_new(entry, "priority", json_integer(o->priority));
    }
    if (o->at_front) {
        json_object_set_new(entry, "at_front", json_true());
    }
}

/* A task that no live node serves may be a typing error. */
static void warn_of_task(moil_client *client, const char *task)
{
    char *text = NULL;
    const char *names[TASKS_MAX] = {0}, *name;
    size_t i, count = 0;
    json_t *row;
    if (!task || moil_inspect(client, MOIL_VIEW_REGISTERED, 0, 0, &text) < 0) {
        return;
    }
    json_t *rows = json_loads(text, 0, NULL);
    json_array_foreach(rows, i, row)
    {
        name = json_string_value(json_object_get(row, "task"));
        if (name && strcmp(name, task) == 0) {
            count = 0;
            break;
        }
        if (name && count < TASKS_MAX) {
            names[count++] = name;
        }
    }
    const char *nearest = count > 0 ? moil_nearest_name(task, names, count) : NULL;
    if (nearest) {
        moil_complain("no worker knows the task \"%s\": did you mean \"%s\"?", task, nearest);
    } else if (count > 0) {
        moil_complain("no worker knows the task \"%s\" by now", task);
    }
    json_decref(rows);
    moil_free(text);
}

enum exit_status moil_beat_entry_put(moil_client *client, const char *name, const json_t *entry,
                                     int from_start, int *rc)
{
    char *text = json_dumps(entry, JSON_COMPACT | JSON_REAL_PRECISION(15));
    *rc = from_start ? moil_beat_begin(client, name, text) : moil_beat_put(client, name, text);
    free(text);
    if (*rc < 0) {
        return moil_connection_failed(client, *rc, NULL);
    }
    warn_of_task(client, json_string_value(json_object_get(entry, "task")));
    return STATUS_DONE;
}
