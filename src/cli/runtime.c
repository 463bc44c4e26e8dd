/* Translation of struct options to moil_runtime_options: there, 0 is what is -1 here. */
#include "cli/runtime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/complaint.h"

#define DEFAULT_PATH "tasks"
#define DEFAULT_BEAT "beat.lua"

static enum exit_status take_paths(struct runtime *r, const struct options *o)
{
    size_t count = o->command == CMD_BEAT ? 0 : o->operand_count;
    r->paths = calloc(count + 2, sizeof *r->paths);
    if (!r->paths) {
        moil_complain("out of memory");
        return STATUS_JOB_FAILED;
    }
    for (size_t i = 0; i < count; i++) {
        r->paths[i] = o->operands[i];
        if (access(r->paths[i], R_OK) < 0) {
            return moil_complain_usage("cannot read the tasks in %s: %s", r->paths[i],
                                       strerror(errno));
        }
    }
    if (o->beat && access(o->beat, R_OK) < 0) {
        return moil_complain_usage("cannot read the beat file %s: %s", o->beat, strerror(errno));
    }
    if (count > 0) {
        return STATUS_DONE;
    }
    if (o->command == CMD_BEAT) {
        return STATUS_DONE;
    }
    r->paths[0] = DEFAULT_PATH;
    if (access(DEFAULT_PATH, R_OK) < 0) {
        return moil_complain_usage("there is no folder tasks/ here: name the files or folders that "
                                   "hold the tasks");
    }
    return STATUS_DONE;
}

static long said(long v)
{
    return v > 0 ? v : 0;
}

static const char *beat_file(const struct options *o)
{
    if (o->command == CMD_BEAT) {
        return o->operands[0];
    }
    return o->beat || o->command != CMD_DEV ? o->beat : DEFAULT_BEAT;
}

/* But for the paths, and what reloading needs. */
static moil_runtime_options translate(const struct options *o)
{
    static const char *const levels[] = {"debug", "info", "warning", "error"};
    return (moil_runtime_options){
        .url = o->redis,
        .ns = o->ns,
        .queues = o->queues,
        .name = o->name,
        .pidfile = o->pidfile,
        .http = o->http,
        .lua_dir = o->lua_dir,
        .config_json = o->config_json,
        .beat_file = beat_file(o),
        .beat_optional = o->command == CMD_DEV && !o->beat,
        .beat_only = o->command == CMD_BEAT,
        .workers = (int)said(o->workers),
        .concurrency = (int)said(o->concurrency),
        .burst = o->burst,
        .shutdown_timeout = o->shutdown_timeout,
        .result_ttl = o->result_ttl > 0 ? o->result_ttl : -1,
        .lease = o->lease,
        .time_limit = o->time_limit,
        .soft_time_limit = o->soft_time_limit > 0 ? o->soft_time_limit : 0,
        .max_payload = (size_t)said(o->max_payload),
        .memory_limit = (double)said(o->memory_limit),
        .max_memory = (double)said(o->max_memory),
        .max_tasks = (unsigned long)said(o->max_tasks),
        .log_level = levels[o->log_level],
    };
}

enum exit_status moil_runtime_init(struct runtime *r, const struct options *o)
{
    *r = (struct runtime){.options = translate(o), .said = o};
    enum exit_status status = take_paths(r, o);
    r->options.paths = r->paths;
    return status;
}

void moil_runtime_fini(struct runtime *r)
{
    free(r->paths);
    *r = (struct runtime){0};
}

static enum exit_status open_log(const struct options *o)
{
    struct log_options log = {
        .level = (enum log_level)o->log_level,
        .format = (enum log_format)o->log_format,
        .path = o->log_file,
    };
    if (moil_log_open(&log) < 0) {
        return moil_complain_usage("cannot write the log to %s: %s", o->log_file, strerror(errno));
    }
    return STATUS_DONE;
}

/* --- reload ----------------------------------------------------------------------------------- */

static void warn_of_fixed(const char *name)
{
    log_warning("reload: --%s has changed, but stays what it was until a restart", name);
}

static void set_unsaid(moil_runtime_options *o, const struct runtime *r)
{
    o->url = o->url ? o->url : r->redis;
    o->workers = o->workers ? o->workers : r->workers;
}

/* In a child process that ends soon: nothing is freed. */
static int reload(void *data, moil_runtime_options *next, char *errstr, size_t errlen)
{
    const struct runtime *r = data;
    static struct options o;
    if (moil_options_reload(&o, r->said, errstr, errlen) < 0) {
        return -1;
    }
    moil_options_each_fixed_change(r->said, &o, warn_of_fixed);
    *next = translate(&o);
    set_unsaid(next, r);
    return 0;
}

enum exit_status moil_runtime_start(const struct options *o, const char *redis, int workers)
{
    struct runtime r;
    enum exit_status status = moil_runtime_init(&r, o);
    if (status == STATUS_DONE) {
        status = open_log(o);
    }
    if (status == STATUS_DONE) {
        r.redis = redis;
        r.workers = workers;
        set_unsaid(&r.options, &r);
        r.options.watch = o->watch || o->command == CMD_DEV;
        /* also one that is not there yet */
        r.options.config_file = o->config_path ? o->config_path : "moil.lua";
        r.options.reload = reload;
        r.options.reload_data = &r;
        status = (enum exit_status)moil_runtime_run(&r.options);
    }
    moil_runtime_fini(&r);
    return status;
}
