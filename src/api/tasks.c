/* tasks.c: tasks in C as the public header has them (moil.h, "tasks in C"): their set, and what
 * their functions know and say of a run. What a run is to its worker is worker/native.c's. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "api/moil.h"
#include "base/error.h"
#include "base/job.h"
#include "base/mem.h"
#include "worker/native.h"

enum { TASKS_MAX = 10000, CODE_MAX = 63, DEPTH_MAX = 128, DELAY_MAX_S = 1000000000 };

int moil_tasks_new(moil_tasks **out)
{
    moil_tasks *tasks = moil_mem_zalloc(1, sizeof *tasks);
    if (!tasks)
        return MOIL_STATUS_NOMEM;
    *out = tasks;
    return 0;
}

static void task_free(struct native_task *task)
{
    if (!task)
        return;
    moil_mem_free(task->name);
    moil_mem_free(task->options);
    moil_mem_free(task);
}

void moil_tasks_free(moil_tasks *tasks)
{
    if (!tasks)
        return;
    for (size_t i = 0; i < tasks->count; i++)
        task_free(tasks->list[i]);
    moil_mem_free(tasks->list);
    moil_mem_free(tasks->shown);
    moil_mem_free(tasks);
}

static bool is_object(const char *text)
{
    json_t *value = json_loads(text, JSON_ALLOW_NUL, NULL);
    bool object = json_is_object(value);
    json_decref(value);
    return object;
}

static bool may_be_added(const moil_tasks *tasks, const char *name, const char *options)
{
    if (!name || !moil_name_is_valid(slice_str(name)) || strncmp(name, "moil.", 5) == 0)
        return false;
    for (size_t i = 0; i < tasks->count; i++)
        if (strcmp(tasks->list[i]->name, name) == 0)
            return false;
    return tasks->count < TASKS_MAX && (!options || is_object(options));
}

/* Room for one more in both lists. */
static bool grow(moil_tasks *tasks)
{
    size_t n = tasks->count + 1;
    struct native_task **list = moil_mem_realloc(tasks->list, n * sizeof *list);
    if (list)
        tasks->list = list;
    struct vm_native_task *shown = moil_mem_realloc(tasks->shown, n * sizeof *shown);
    if (shown)
        tasks->shown = shown;
    return list && shown;
}

int moil_task_register(moil_tasks *tasks, const char *name, const char *options, moil_task_fn *fn,
                       void *data)
{
    if (!tasks || !fn || !may_be_added(tasks, name, options))
        return MOIL_STATUS_INVALID;
    if (tasks->in_use)
        return MOIL_STATUS_STATE;
    struct native_task *task = moil_mem_zalloc(1, sizeof *task);
    if (task) {
        task->fn = fn;
        task->data = data;
        task->name = moil_mem_strdup(name);
        task->options = options ? moil_mem_strdup(options) : NULL;
    }
    if (!task || !task->name || (options && !task->options) || !grow(tasks)) {
        task_free(task);
        return MOIL_STATUS_NOMEM;
    }
    tasks->shown[tasks->count] =
        (struct vm_native_task){.name = task->name, .options = task->options, .task = task};
    tasks->list[tasks->count++] = task;
    return 0;
}

/* --- what a run is told ----------------------------------------------------------------------- */

const char *moil_run_id(const moil_run *run)
{
    return run->id.p;
}

const char *moil_run_task(const moil_run *run)
{
    return run->task.p;
}

const char *moil_run_queue(const moil_run *run)
{
    return run->queue.p;
}

static const char *text_of(struct slice s, size_t *len)
{
    if (len)
        *len = s.n;
    return s.p;
}

const char *moil_run_args(const moil_run *run, size_t *len)
{
    return text_of(run->args, len);
}

const char *moil_run_kwargs(const moil_run *run, size_t *len)
{
    return text_of(run->kwargs, len);
}

unsigned moil_run_retries(const moil_run *run)
{
    return run->retries;
}

struct ev_loop *moil_run_loop(const moil_run *run)
{
    return moil_native_loop(run);
}

void moil_run_on_cancel(moil_run *run, moil_cancelled_fn *fn, void *data)
{
    run->on_cancel = fn;
    run->cancel_data = data;
}

/* --- what it says ----------------------------------------------------------------------------- */

/* Levels of nesting of a JSON text. */
static int depth_of(struct slice text)
{
    int depth = 0, deepest = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '"')
            in_string = !in_string;
        else if (in_string)
            i += c == '\\';
        else if (c == '[' || c == '{')
            deepest = ++depth > deepest ? depth : deepest;
        else if (c == ']' || c == '}')
            depth--;
    }
    return deepest;
}

/* Of a text that goes into a record as it is: 0, or a negative status. */
static int check_json(const moil_run *run, struct slice text)
{
    json_error_t error;
    if (text.n > moil_native_payload(run))
        return MOIL_STATUS_TOO_LARGE;
    json_t *value = json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!value)
        return json_error_code(&error) == json_error_out_of_memory ? MOIL_STATUS_NOMEM
                                                                   : MOIL_STATUS_INVALID;
    json_decref(value);
    return depth_of(text) <= DEPTH_MAX ? 0 : MOIL_STATUS_INVALID;
}

int moil_run_succeed(moil_run *run, const char *result)
{
    struct slice text = slice_str(result ? result : "null");
    int err = result ? check_json(run, text) : 0;
    return err ? err : moil_native_end(run, &(struct native_end){.message = text});
}

/* An error's code is a name; without one it is Error, as of what Lua raises. */
static int end(moil_run *run, struct native_end end, const char *message)
{
    if (!end.code)
        end.code = "Error";
    if (!moil_name_is_valid(slice_str(end.code)) || strlen(end.code) > CODE_MAX)
        return MOIL_STATUS_INVALID;
    end.message = slice_str(message ? message : "");
    return moil_native_end(run, &end);
}

int moil_run_fail(moil_run *run, const char *code, const char *message)
{
    return end(run, (struct native_end){.kind = "failure", .code = code, .delay_ms = -1}, message);
}

int moil_run_retry(moil_run *run, double countdown, const char *code, const char *message)
{
    if (!(countdown < DELAY_MAX_S))
        return MOIL_STATUS_INVALID;
    int64_t delay_ms = countdown < 0 ? -1 : (int64_t)ceil(countdown * 1000);
    return end(run, (struct native_end){.kind = "retry", .code = code, .delay_ms = delay_ms},
               message);
}

int moil_run_reject(moil_run *run, const char *reason)
{
    return end(run, (struct native_end){.kind = "reject", .delay_ms = -1},
               reason ? reason : "rejected by the task");
}

int moil_run_ignore(moil_run *run)
{
    return end(run, (struct native_end){.kind = "ignore", .delay_ms = -1}, NULL);
}

int moil_run_update_state(moil_run *run, const char *state, const char *meta)
{
    struct slice text = slice_str(meta ? meta : "null");
    if (!state || !moil_name_is_valid(slice_str(state)) ||
        moil_job_state_is_builtin(slice_str(state)))
        return MOIL_STATUS_INVALID;
    int err = meta ? check_json(run, text) : 0;
    return err ? err : moil_native_note(run, slice_str(state), text);
}
