/* replay.c: a job's function once more, in a child process of its own and without Redis (moil.h,
 * "replay"). The job runs in a world of lua/moil/testing, which stands for worker and Redis. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/child_text.h"
#include "api/plain_host.h"
#include "api/roles.h"
#include "api/settings.h"
#include "base/error.h"
#include "vm/vm.h"
#include "worker/host.h"

enum {
    TIME_LIMIT_S = 3600,
    GRACE_S = 10, /* for loading, and for what ends a job that is over its limit */
};

struct replay {
    moil_runtime_options options;
    const char *job;
    struct ev_loop *loop;
};

static enum vm_answer host_spawn(void *data, struct vm_call *call, const struct vm_spawn *spawn)
{
    struct replay *r = data;
    return moil_plain_spawn_ours(&r->loop, call, spawn);
}

static enum vm_answer host_beat(void *data, struct vm_call *call, const struct vm_beat *ask)
{
    (void)data;
    if (ask->verb == VM_BEAT_NEXT)
        return moil_plain_beat_next(call, ask);
    moil_call_fail(call, "RedisUnavailable", "a replay asks no Redis");
    return VM_READY;
}

/* A field, where there is a limit. */
static void add_limit(struct buffer *out, const char *name, double limit)
{
    if (limit > 0)
        moil_buffer_addf(out, ",\"%s\":%.6f", name, limit);
}

/* {"job": …, "config": …, "paths": […], "time_limit": …} */
static void write_request(const struct replay *r, struct buffer *out)
{
    const moil_runtime_options *o = &r->options;
    moil_buffer_addf(out, "{\"config\":%s,\"job\":%s,\"paths\":[",
                     o->config_json ? o->config_json : "{}", r->job);
    for (const char *const *path = o->paths; *path; path++) {
        if (path != o->paths)
            moil_buffer_add_char(out, ',');
        moil_buffer_add_json(out, slice_str(*path));
    }
    moil_buffer_add_char(out, ']');
    add_limit(out, "time_limit", o->time_limit);
    add_limit(out, "soft_time_limit", o->soft_time_limit);
    add_limit(out, "memory_limit", o->memory_limit);
    add_limit(out, "max_memory", o->max_memory);
    moil_buffer_add_char(out, '}');
}

static int replay(struct replay *r, struct buffer *out, char *errstr, size_t errlen)
{
    struct vm_host host = moil_host_of_check();
    struct buffer request;
    host.data = r;
    host.spawn = host_spawn;
    host.beat = host_beat;
    struct vm *vm = moil_vm_new(&(struct vm_options){.lua_dir = r->options.lua_dir, .alone = true},
                                &host, errstr, errlen);
    if (!vm)
        return MOIL_EINVAL;
    moil_buffer_init(&request);
    write_request(r, &request);
    int err =
        moil_vm_call(vm, "moil.testing.replay", moil_buffer_slice(&request), out, errstr, errlen);
    moil_buffer_fini(&request);
    return err;
}

/* In the child: the outcome, or '!' and the error. What tasks print is not the outcome. */
static void replay_child(void *data, int fd)
{
    char errstr[1024];
    struct buffer out;
    moil_buffer_init(&out);
    __fpurge(stdout); /* the parent's */
    dup2(STDERR_FILENO, STDOUT_FILENO);
    int err = replay(data, &out, errstr, sizeof errstr);
    if (err) {
        moil_buffer_clear(&out);
        moil_buffer_addf(&out, "!%s", errstr);
    }
    moil_child_say(fd, &out, err ? MOIL_EXIT_CHECK : 0);
}

/* The process died: what a worker's agent would say of it. */
static int write_death(int wait_status, char **outcome)
{
    struct buffer out;
    moil_buffer_init(&out);
    moil_buffer_addf(&out,
                     "{\"outcome\":\"lost\",\"error\":{\"code\":\"WorkerLost\",\"message\":"
                     "\"its process was ended by %s %d\"},\"enqueued\":[]}",
                     WIFSIGNALED(wait_status) ? "signal" : "exit code",
                     WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status));
    *outcome = moil_buffer_take(&out, NULL);
    return *outcome ? 0 : MOIL_STATUS_NOMEM;
}

static int judge(struct buffer *text, int wait_status, char **outcome, char *errstr, size_t errlen)
{
    const char *answer = moil_buffer_cstr(text);
    if (answer[0] == '!') {
        snprintf(errstr, errlen, "%s", answer + 1);
        return strncmp(answer + 1, "TaskNotRegistered", 17) == 0 ? MOIL_STATUS_UNKNOWN
                                                                 : MOIL_STATUS_INVALID;
    }
    if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0 || text->len == 0)
        return write_death(wait_status, outcome);
    *outcome = moil_buffer_take(text, NULL);
    return *outcome ? 0 : MOIL_STATUS_NOMEM;
}

int moil_runtime_replay(const moil_runtime_options *options, const char *job, char **outcome,
                        char *errstr, size_t errlen)
{
    struct replay r = {.options = *options, .job = job};
    struct buffer text;
    int wait_status = 0;
    moil_settings_fill(&r.options);
    int err = moil_settings_check(&r.options, errstr, errlen);
    if (err)
        return err;
    double limit_s = r.options.time_limit > 0 && isfinite(r.options.time_limit)
                         ? r.options.time_limit
                         : TIME_LIMIT_S;
    moil_buffer_init(&text);
    int heard =
        moil_child_listen(replay_child, &r, (limit_s + GRACE_S) * 1000, &text, &wait_status);
    if (heard > 0) {
        err = judge(&text, wait_status, outcome, errstr, errlen);
    } else if (heard == 0) {
        snprintf(errstr, errlen, "it did not end within %g s and was killed", limit_s + GRACE_S);
        err = MOIL_STATUS_TIMEOUT;
    } else {
        snprintf(errstr, errlen, "cannot start a process: %s", strerror(errno));
        err = MOIL_STATUS_NOMEM;
    }
    moil_buffer_fini(&text);
    return err;
}
