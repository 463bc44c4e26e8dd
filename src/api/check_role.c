/* check_role.c: loads everything that a worker would load, in a process of its own, and says what
 * is there (roles.h). */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/roles.h"
#include "api/settings.h"
#include "base/error.h"
#include "base/log.h"
#include "vm/vm.h"
#include "worker/host.h"
#include "worker/native.h"
#include "worker/worker.h"

_Static_assert(sizeof((struct plan *)0)->loading >= MOIL_LOADING_MAX, "the file fits in the plan");

static bool add_task(void *data, struct task *task)
{
    struct check_result *result = data;
    struct buffer *out = &result->json;
    moil_buffer_add_str(out, result->tasks++ > 0 ? ",{\"name\":" : "{\"name\":");
    moil_buffer_add_json(out, task->name);
    moil_buffer_add_str(out, ",\"queue\":");
    moil_buffer_add_json(out, task->queue);
    moil_buffer_add_str(out, ",\"where\":");
    moil_buffer_add_json(out, slice_str(task->where));
    moil_buffer_add_char(out, '}');
    return true;
}

static bool count_task(void *data, struct task *task)
{
    moil_tally_add_task(data, task->name);
    return true;
}

static void add_queues(const struct runtime *r, struct vm *vm, struct buffer *out)
{
    struct queue_set set;
    char errstr[256];
    if (moil_worker_queues(vm, r->options.queues, &set, errstr, sizeof errstr) != 0)
        return;
    for (size_t i = 0; i < set.count; i++) {
        if (i > 0)
            moil_buffer_add_char(out, ',');
        moil_buffer_add_json(out, set.names[i]);
    }
    moil_queues_fini(&set);
}

static int load_tasks(const struct runtime *r, struct vm *vm, char *errstr, size_t errlen)
{
    int err = 0;
    for (const char *const *path = r->options.paths; !err && *path; path++)
        err = moil_vm_load(vm, *path, errstr, errlen);
    return err ? err : moil_vm_add_natives(vm, errstr, errlen);
}

static struct vm *new_vm(const struct runtime *r, struct check_result *out, char *errstr,
                         size_t errlen)
{
    struct vm_host host = moil_host_of_check();
    const moil_tasks *tasks = r->options.tasks;
    return moil_vm_new(&(struct vm_options){.lua_dir = r->options.lua_dir,
                                            .natives = tasks ? tasks->shown : NULL,
                                            .native_count = tasks ? tasks->count : 0,
                                            .config_json = slice_str(r->options.config_json),
                                            .record = out->draft,
                                            .loading = out->loading,
                                            .time_limit_s = r->options.time_limit,
                                            .soft_time_limit_s = r->options.soft_time_limit,
                                            .max_memory_mb = r->options.max_memory},
                       &host, errstr, errlen);
}

int moil_check_load(const struct runtime *r, struct check_result *out, char *errstr, size_t errlen)
{
    const moil_runtime_options *o = &r->options;
    struct vm *vm = o->beat_only ? NULL : new_vm(r, out, errstr, errlen);
    int err = vm ? load_tasks(r, vm, errstr, errlen) : o->beat_only ? 0 : MOIL_EINVAL;
    moil_buffer_addf(&out->json, "{\"concurrency\":%d,\"config\":%s,", o->concurrency,
                     o->config_json ? o->config_json : "{}");
    if (!err && o->beat_file)
        err = moil_check_beat(r, vm, out, errstr, errlen);
    moil_buffer_add_str(&out->json, "\"tasks\":[");
    if (vm && !err)
        moil_vm_each_task(vm, add_task, out);
    if (vm && !err && r->tally)
        moil_vm_each_task(vm, count_task, r->tally);
    moil_buffer_add_str(&out->json, "],\"queues\":[");
    if (vm && !err)
        add_queues(r, vm, &out->json);
    moil_buffer_add_str(&out->json, "]}");
    moil_vm_free(vm);
    return err;
}

/* --- the role --------------------------------------------------------------------------------- */

/* Takes up what a start would find by now. */
static int renew_options(struct runtime *r, char *errstr, size_t errlen)
{
    moil_runtime_options next = r->options;
    snprintf(errstr, errlen, "the options cannot be read");
    if (r->options.reload && r->options.reload(r->options.reload_data, &next, errstr, errlen) != 0)
        return MOIL_EINVAL;
    moil_settings_keep(&next, &r->options);
    moil_settings_fill(&next);
    r->options = next;
    return moil_settings_check(&r->options, errstr, errlen);
}

static int log_level_of(const moil_runtime_options *o)
{
    enum log_level level;
    return o->log_level && moil_log_level_parse(o->log_level, &level) == 0 ? (int)level : -1;
}

/* What the supervisor itself needs to know. */
static struct plan plan_of(const struct runtime *r, const struct check_result *found)
{
    const moil_runtime_options *o = &r->options;
    double timeout_ms = o->shutdown_timeout * 1000;
    return (struct plan){.workers = o->workers,
                         .shutdown_timeout_ms = timeout_ms < INT_MAX ? (int)timeout_ms : INT_MAX,
                         .tasks = found->tasks,
                         .log_level = log_level_of(o)};
}

static void add_watched(struct buffer *out, char kind, struct slice path)
{
    moil_buffer_add_char(out, kind);
    moil_buffer_add_slice(out, path);
    moil_buffer_add_char(out, '\0');
}

/* What a change of which means a reload: the folders as they were given, every file that was
 * loaded, and the config file. Also of what fails: its next change may mend it. */
static void add_paths(const struct runtime *r, const struct buffer *draft, struct buffer *out)
{
    struct snapshot *s = moil_snapshot_new(moil_buffer_slice(draft));
    struct snapshot_entry entry;
    moil_buffer_add_char(out, '\0');
    for (const char *const *path = r->options.paths; *path; path++)
        add_watched(out, 'D', slice_str(*path));
    if (r->options.beat_file)
        add_watched(out, 'F', slice_str(r->options.beat_file));
    if (r->options.config_file)
        add_watched(out, 'F', slice_str(r->options.config_file));
    for (size_t at = 0; s && moil_snapshot_next(s, &at, &entry);) {
        if (entry.kind != SNAPSHOT_PATH)
            continue;
        add_watched(out, 'F', entry.name);
        if (!slice_eq(entry.name, entry.value)) /* by way of a link, or not from the root */
            add_watched(out, 'F', entry.value);
    }
    moil_snapshot_free(s);
}

static int write_all(int fd, const struct buffer *text)
{
    for (size_t at = 0; at < text->len;) {
        ssize_t n = write(fd, text->data + at, text->len - at);
        if (n <= 0)
            return MOIL_EXIT_CHECK;
        at += (size_t)n;
    }
    return text->failed ? MOIL_EXIT_CHECK : 0;
}

/* 0, or a negative code with one line in errstr. */
static int check(struct runtime *r, struct check_result *found, struct child_context *context,
                 char *errstr, size_t errlen)
{
    int err = context->generation > 1 ? renew_options(r, errstr, errlen) : 0;
    if (!err)
        err = moil_check_load(r, found, errstr, errlen);
    if (err)
        return err;
    *context->plan = plan_of(r, found);
    moil_settings_pack(&r->options, found->draft);
    err = moil_snapshot_write(found->draft, context->snapshot_fd);
    if (err == MOIL_ETOOLARGE)
        snprintf(errstr, errlen, "the task files are larger than %d MB together",
                 MOIL_SNAPSHOT_MAX >> 20);
    else if (err)
        snprintf(errstr, errlen, "cannot keep a snapshot of the task files: %s", strerror(errno));
    return err;
}

static void log_line(const char *line)
{
    log_warning("%s", line);
}

int moil_check_role(struct child_context *context)
{
    char errstr[512];
    struct runtime *r = context->data;
    struct buffer draft;
    struct check_result found = {
        .draft = &draft, .loading = context->plan->loading, .warn = log_line};
    moil_buffer_init(&draft);
    moil_buffer_init(&found.json);
    int err = check(r, &found, context, errstr, sizeof errstr);
    if (err) {
        log_error("%s", errstr);
        snprintf(context->plan->why, sizeof context->plan->why, "%s", errstr);
        moil_buffer_clear(&found.json);
    }
    if (!err && found.tasks == 0 && !r->options.beat_only)
        log_warning("no task is registered there (a task is registered by moil.task(name, fn))");
    if (r->options.watch)
        add_paths(r, &draft, &found.json);
    int status = write_all(context->ready_fd, &found.json);
    moil_buffer_fini(&found.json);
    moil_buffer_fini(&draft);
    return err ? MOIL_EXIT_CHECK : status;
}
