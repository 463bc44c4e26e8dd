/* entry_tasks.c: a look at what the nodes register, for a scheduler that loads no tasks itself. A
 * part of the scheduler (scheduler.h).
 *
 * Once, some seconds after the entries came, since nodes may start together; while no node
 * registers anything, nothing is said. */
#include <jansson.h>

#include "base/error.h"
#include "base/log.h"
#include "conf/suggest.h"
#include "worker/scheduler.h"

enum { AFTER_S = 5, ROW = 3, NAMED_MAX = 10 };

/* The tasks of all nodes' reports, as the keys of an object. */
static json_t *tasks_of(const struct reply *reply)
{
    json_t *all = json_object();
    for (size_t i = 1; i + ROW - 1 < moil_reply_count(reply); i += ROW) {
        struct slice text = moil_reply_slice(moil_reply_at(reply, i + ROW - 1));
        json_t *report = json_loadb(text.p ? text.p : "", text.n, JSON_ALLOW_NUL, NULL), *name;
        size_t k;
        json_array_foreach(json_object_get(report, "tasks"), k, name)
        {
            if (json_is_string(name))
                json_object_set_new(all, json_string_value(name), json_true());
        }
        json_decref(report);
    }
    return all;
}

static const char *nearest_of(json_t *tasks, const char *task)
{
    const char *best = NULL, *name;
    json_t *value;
    json_object_foreach(tasks, name, value)
    {
        const char *two[] = {best ? best : name, name};
        const char *nearest = moil_nearest_name(task, two, best ? 2 : 1);
        best = nearest ? nearest : best;
    }
    return best;
}

static void warn(const struct entry *e, const char *nearest)
{
    if (nearest)
        log_warning("entry \"%s\": no node registers a task \"%s\": did you mean \"%s\"?", e->name,
                    e->task, nearest);
    else
        log_warning("entry \"%s\": no node registers a task \"%s\"", e->name, e->task);
}

static void looked(void *data, int err, const struct reply *reply)
{
    struct scheduler *s = data;
    const struct beat_config *file = &s->table.config;
    if (err == MOIL_ENOSCRIPT)
        moil_entry_tasks_look_later(s);
    if (err)
        return;
    json_t *tasks = tasks_of(reply);
    size_t unknown = 0;
    for (size_t i = 0; json_object_size(tasks) > 0 && i < file->count; i++) {
        const struct entry *e = file->entries[i];
        if (!json_object_get(tasks, e->task) && ++unknown <= NAMED_MAX)
            warn(e, nearest_of(tasks, e->task));
    }
    if (unknown > NAMED_MAX)
        log_warning("… and %zu entries more have a task that no node registers",
                    unknown - NAMED_MAX);
    json_decref(tasks);
}

static void look_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct scheduler *s = timer->data;
    moil_args_clear(&s->agent->broker.args);
    if (moil_broker_eval(&s->agent->broker, SCRIPT_NODES, looked, s) != 0)
        moil_entry_tasks_look_later(s);
}

void moil_entry_tasks_look_later(struct scheduler *s)
{
    moil_entry_tasks_stop(s);
    ev_timer_init(&s->look, look_cb, AFTER_S, 0);
    s->look.data = s;
    ev_timer_start(s->agent->loop, &s->look);
}

void moil_entry_tasks_stop(struct scheduler *s)
{
    ev_timer_stop(s->agent->loop, &s->look);
}
