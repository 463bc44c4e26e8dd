/* runtime.c: `moil worker` as a function: supervisor, workers, agent (moil.h, "runtime"). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/child_text.h"
#include "api/locate.h"
#include "api/roles.h"
#include "api/settings.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/id.h"
#include "base/log.h"
#include "http/listener.h"
#include "queue/lease.h"
#include "vm/vm.h"
#include "worker/tally.h"

enum {
    CHECK_TIMEOUT_MS = 1000,
    LOAD_MS = 60000,       /* a worker's; the check took 1 s of CPU at most */
    SILENCE_MIN_MS = 1000, /* a busy machine may keep an agent off its CPU for a moment */
};

static int run_child(struct child_context *context)
{
    switch (context->role) {
    case ROLE_CHECK:
        return moil_check_role(context);
    case ROLE_WORKER:
        return moil_worker_role(context);
    case ROLE_AGENT:
        return moil_agent_role(context);
    }
    return MOIL_EXIT_USAGE;
}

static void init_runtime(struct runtime *r, const moil_runtime_options *options)
{
    const char *name = options->name;
    *r = (struct runtime){.options = *options, .http_fd = -1};
    moil_settings_fill(&r->options);
    if (name && *name) {
        snprintf(r->node, sizeof r->node, "%.200s", name);
    } else {
        char host[128] = "localhost";
        gethostname(host, sizeof host - 1);
        snprintf(r->node, sizeof r->node, "%s-%d", host, (int)getpid());
    }
}

/* A node that comes back under its name is another one to Redis: what the old one held is
 * recovered. */
static void make_node_id(struct runtime *r)
{
    char id[MOIL_ID_LEN + 1];
    moil_id_new(id);
    snprintf(r->node_id, sizeof r->node_id, "%s/%.8s", r->node, id);
}

/* What is wrong with the options themselves; the tasks are the check child's business. */
static int check_options(const struct runtime *r, char *errstr, size_t errlen)
{
    if (!moil_name_is_valid(slice_str(r->node))) {
        snprintf(errstr, errlen, "name \"%.80s\": 1 to 200 printable characters without space",
                 r->node);
        return MOIL_EINVAL;
    }
    return moil_settings_check(&r->options, errstr, errlen);
}

/* A third of the lease: with a heartbeat every third, the node is alive when the next agent is. */
static int agent_silence_ms(const struct runtime *r)
{
    double ms = r->options.lease * 1000 / MOIL_LEASE_BEATS;
    return ms > SILENCE_MIN_MS ? (int)ms : SILENCE_MIN_MS;
}

/* The supervisor listens, so that no agent's death leaves a gap, and a port in use is told at once.
 */
static int open_http(struct runtime *r, char *errstr, size_t errlen)
{
    char at[160];
    if (!r->options.http)
        return 0;
    int fd = moil_http_listen(r->options.http, at, sizeof at, errstr, errlen);
    if (fd < 0)
        return fd;
    r->http_fd = fd;
    r->tally = moil_tally_new();
    if (!r->tally) {
        snprintf(errstr, errlen, "out of memory");
        return MOIL_ENOMEM;
    }
    log_info("serving health and metrics at http://%s", at);
    return 0;
}

static void close_http(struct runtime *r)
{
    if (r->http_fd >= 0)
        close(r->http_fd);
    moil_tally_free(r->tally);
}

static int run(struct runtime *r)
{
    char dir[sizeof r->url.path], shown[1400], line[1600];
    bool embedded = r->url.kind == URL_EMBEDDED;
    moil_url_redact(&r->url, shown, sizeof shown);
    snprintf(dir, sizeof dir, "%s", r->url.path);
    snprintf(line, sizeof line, "node %.255s on %.1300s", r->node, shown);
    return moil_super_run(&(struct super_options){
        .plan = {.workers = r->options.workers, .log_level = -1},
        .agent_silence_ms = agent_silence_ms(r),
        .load_ms = LOAD_MS,
        .pidfile = r->options.pidfile,
        .burst = r->options.burst != 0,
        .alone = r->options.beat_only != 0,
        .watch = r->options.watch != 0,
        .embedded_dir = embedded ? dir : NULL,
        .tally = r->tally,
        .agent_fd = r->http_fd,
        .ready_line = line,
        .child = run_child,
        .data = r,
    });
}

int moil_runtime_run(const moil_runtime_options *options)
{
    struct runtime r;
    char errstr[512];
    init_runtime(&r, options);
    int err = moil_locate(options->url, false, &r.url, errstr, sizeof errstr);
    if (!err)
        err = check_options(&r, errstr, sizeof errstr);
    if (!err)
        err = open_http(&r, errstr, sizeof errstr);
    if (err)
        log_error("%s", errstr);
    else
        make_node_id(&r);
    int status = err ? MOIL_EXIT_USAGE : run(&r);
    close_http(&r);
    return status;
}

/* --- check alone ------------------------------------------------------------------------------ */

struct check_call {
    const struct runtime *runtime;
    char *loading;
};

/* In the child: the report, or '!' and the error, to the pipe. */
static void check_child(void *data, int fd)
{
    struct check_call *call = data;
    char errstr[512];
    struct check_result found = {.loading = call->loading};
    moil_buffer_init(&found.json);
    int err = moil_check_load(call->runtime, &found, errstr, sizeof errstr);
    if (err) {
        moil_buffer_clear(&found.json);
        moil_buffer_addf(&found.json, "!%s", errstr);
    }
    moil_child_say(fd, &found.json, err ? MOIL_EXIT_CHECK : 0);
}

static int took_too_long(const char *file, char *errstr, size_t errlen)
{
    snprintf(errstr, errlen, "loading took more than 1 s: %.255s waits or loops while it is loaded",
             file && file[0] ? file : "a task file");
    return MOIL_STATUS_INVALID;
}

static int judge(struct buffer *text, int wait_status, char **json, char *errstr, size_t errlen)
{
    const char *answer = moil_buffer_cstr(text);
    if (answer[0] == '!') {
        snprintf(errstr, errlen, "%s", answer + 1);
        return MOIL_STATUS_INVALID;
    }
    if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0) {
        snprintf(errstr, errlen, "loading ended by %s %d",
                 WIFSIGNALED(wait_status) ? "signal" : "exit",
                 WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status));
        return MOIL_STATUS_INVALID;
    }
    if (json && !(*json = moil_buffer_take(text, NULL)))
        return MOIL_STATUS_NOMEM;
    return 0;
}

int moil_runtime_check(const moil_runtime_options *options, char **json, char *errstr,
                       size_t errlen)
{
    struct runtime r;
    struct buffer text;
    int wait_status = 0;
    init_runtime(&r, options);
    int err = check_options(&r, errstr, errlen);
    if (err)
        return err;
    void *shared =
        mmap(NULL, MOIL_LOADING_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct check_call call = {&r, shared == MAP_FAILED ? NULL : shared};
    moil_buffer_init(&text);
    int heard = moil_child_listen(check_child, &call, CHECK_TIMEOUT_MS, &text, &wait_status);
    if (heard > 0) {
        err = judge(&text, wait_status, json, errstr, errlen);
    } else if (heard == 0) {
        err = took_too_long(call.loading, errstr, errlen);
    } else {
        snprintf(errstr, errlen, "cannot start a process: %s", strerror(errno));
        err = MOIL_STATUS_NOMEM;
    }
    if (call.loading)
        munmap(call.loading, MOIL_LOADING_MAX);
    moil_buffer_fini(&text);
    return err;
}
