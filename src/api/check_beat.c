/* check_beat.c: the beat file's part of the check (roles.h): each entry gets its queue from what is
 * loaded here, and one whose task is not is pointed out. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/roles.h"
#include "base/error.h"
#include "base/json_dump.h"
#include "base/line.h"
#include "base/mem.h"
#include "conf/route.h"
#include "conf/suggest.h"
#include "vm/vm.h"

/* The names of the tasks, for pointing at the nearest. */
struct names {
    const char **all;
    size_t count, room;
};

struct beat_check {
    const struct runtime *runtime;
    struct vm *vm;
    struct check_result *out;
    struct names tasks;
    json_t *warnings;
};

static bool add_name(void *data, struct task *task)
{
    struct names *n = data;
    if (n->count == n->room) {
        size_t room = n->room ? 2 * n->room : 64;
        void *grown = moil_mem_realloc(n->all, room * sizeof *n->all);
        if (!grown)
            return false;
        n->all = grown;
        n->room = room;
    }
    char *copy = moil_mem_strndup(task->name.p, task->name.n);
    if (copy)
        n->all[n->count++] = copy;
    return copy;
}

static void free_names(struct names *n)
{
    for (size_t i = 0; i < n->count; i++)
        moil_mem_free((char *)n->all[i]);
    moil_mem_free(n->all);
}

static void warn(struct beat_check *c, const char *name, const char *task)
{
    char line[1024], hint[300] = "";
    if (!c->tasks.all)
        moil_vm_each_task(c->vm, add_name, &c->tasks);
    const char *nearest = moil_nearest_name(task, c->tasks.all, c->tasks.count);
    if (nearest)
        snprintf(hint, sizeof hint, ": did you mean \"%.200s\"?", nearest);
    snprintf(line, sizeof line, "%.255s: entry \"%.200s\": no task \"%.200s\" is registered here%s",
             c->runtime->options.beat_file, name, task, hint);
    moil_line_clean(line);
    if (c->out->warn)
        c->out->warn(line);
    json_array_append_new(c->warnings, json_string(line));
}

/* Where its jobs go: as it says, as its task or a route says; else nothing is said. */
static void set_queue(struct beat_check *c, json_t *entry, const char *name)
{
    const char *task = json_string_value(json_object_get(entry, "task"));
    const struct task *found = c->vm && task ? moil_vm_task(c->vm, slice_str(task)) : NULL;
    if (c->vm && task && !found)
        warn(c, name, task);
    if (!task || json_object_get(entry, "queue"))
        return;
    if (found) {
        json_object_set_new(entry, "queue", json_stringn(found->queue.p, found->queue.n));
    } else {
        char *routed = moil_route_find(c->runtime->options.config_json, task);
        if (routed)
            json_object_set_new(entry, "queue", json_string(routed));
        moil_mem_free(routed);
    }
}

static int take(struct beat_check *c, const char *text)
{
    const char *name;
    json_t *entry, *config = json_loads(text, JSON_ALLOW_NUL, NULL);
    c->warnings = json_array();
    json_object_foreach(json_object_get(config, "schedule"), name, entry) set_queue(c, entry, name);
    char *beat = moil_json_dump(config, JSON_COMPACT | JSON_SORT_KEYS);
    char *warnings = moil_json_dump(c->warnings, JSON_COMPACT);
    int err = config && beat && warnings ? 0 : MOIL_ENOMEM;
    if (!err) {
        moil_buffer_add_str(&c->out->json, "\"beat\":");
        moil_buffer_add_str(&c->out->json, beat);
        moil_buffer_add_str(&c->out->json, ",\"warnings\":");
        moil_buffer_add_str(&c->out->json, warnings);
        moil_buffer_add_char(&c->out->json, ',');
    }
    moil_mem_free(beat);
    moil_mem_free(warnings);
    json_decref(config);
    json_decref(c->warnings);
    free_names(&c->tasks);
    return err;
}

int moil_check_beat(const struct runtime *r, struct vm *vm, struct check_result *out, char *errstr,
                    size_t errlen)
{
    const char *path = r->options.beat_file;
    struct beat_check c = {.runtime = r, .vm = vm, .out = out};
    char *text;
    if (r->options.beat_optional && access(path, F_OK) != 0)
        return 0;
    if (out->loading)
        snprintf(out->loading, MOIL_LOADING_MAX, "%.250s", path);
    if (moil_beat_read(path, &text, errstr, errlen) != 0)
        return MOIL_EINVAL;
    if (out->loading)
        out->loading[0] = '\0';
    int err = take(&c, text);
    moil_mem_free(text);
    if (err)
        snprintf(errstr, errlen, "out of memory");
    return err;
}
