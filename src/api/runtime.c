/* runtime.c: `moil worker` as a function: supervisor, workers, agent (moil.h, "runtime"). */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/locate.h"
#include "api/roles.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/id.h"
#include "base/log.h"
#include "queue/keys.h"
#include "queue/lease.h"
#include "worker/queues.h"

enum {
    CHECK_TIMEOUT_MS = 1000,
    SHUTDOWN_TIMEOUT_S = 25,
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

static void fill_defaults(struct runtime *r, const moil_runtime_options *options)
{
    static const char *const no_paths[] = {NULL};
    moil_runtime_options *o = &r->options;
    *o = *options;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    o->ns = o->ns && *o->ns ? o->ns : "moil";
    o->paths = o->paths ? o->paths : no_paths;
    o->workers = o->workers > 0 ? o->workers : (int)(cores > 0 ? cores : 1);
    o->concurrency = o->concurrency > 0 ? o->concurrency : MOIL_CONCURRENCY_DEFAULT;
    o->shutdown_timeout = o->shutdown_timeout > 0 ? o->shutdown_timeout : SHUTDOWN_TIMEOUT_S;
    o->time_limit = o->time_limit == 0 ? 3600 : o->time_limit < 0 ? 0 : o->time_limit;
    o->soft_time_limit = o->soft_time_limit < 0 ? 0 : o->soft_time_limit;
    o->lease = o->lease > 0 ? o->lease : MOIL_LEASE_MS / 1000.0;
    o->result_ttl = o->result_ttl > 0 ? o->result_ttl : 86400;
    if (o->name && *o->name) {
        snprintf(r->node, sizeof r->node, "%.200s", o->name);
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
    struct keys keys;
    struct queue_set queues;
    if (moil_keys_init(&keys, r->options.ns) != 0) {
        snprintf(errstr, errlen,
                 "namespace \"%.80s\": 1 to 64 printable characters without space, { and }",
                 r->options.ns);
        return MOIL_EINVAL;
    }
    if (!moil_name_is_valid(slice_str(r->node))) {
        snprintf(errstr, errlen, "name \"%.80s\": 1 to 200 printable characters without space",
                 r->node);
        return MOIL_EINVAL;
    }
    if (r->options.workers > SUPER_SLOTS_MAX) {
        snprintf(errstr, errlen, "workers: at most %d", SUPER_SLOTS_MAX);
        return MOIL_EINVAL;
    }
    if (r->options.time_limit > 0 && r->options.soft_time_limit >= r->options.time_limit) {
        snprintf(errstr, errlen, "the soft time limit (%g s) must be below the time limit (%g s)",
                 r->options.soft_time_limit, r->options.time_limit);
        return MOIL_EINVAL;
    }
    if (r->options.queues) {
        int err = moil_queues_parse(&queues, r->options.queues, errstr, errlen);
        if (err)
            return err;
        moil_queues_fini(&queues);
    }
    return 0;
}

/* A third of the lease: with a heartbeat every third, the node is alive when the next agent is. */
static int agent_silence_ms(const struct runtime *r)
{
    double ms = r->options.lease * 1000 / MOIL_LEASE_BEATS;
    return ms > SILENCE_MIN_MS ? (int)ms : SILENCE_MIN_MS;
}

int moil_runtime_run(const moil_runtime_options *options)
{
    struct runtime r = {0};
    char errstr[512], dir[sizeof r.url.path], shown[1400], line[1600];
    fill_defaults(&r, options);
    int err = moil_locate(options->url, false, &r.url, errstr, sizeof errstr);
    if (!err)
        err = check_options(&r, errstr, sizeof errstr);
    if (err) {
        log_error("%s", errstr);
        return MOIL_EXIT_USAGE;
    }
    make_node_id(&r);
    bool embedded = r.url.kind == URL_EMBEDDED;
    moil_url_redact(&r.url, shown, sizeof shown);
    snprintf(dir, sizeof dir, "%s", r.url.path);
    snprintf(line, sizeof line, "node %.255s on %.1300s", r.node, shown);
    return moil_super_run(&(struct super_options){
        .workers = r.options.workers,
        .shutdown_timeout_ms = (int)(r.options.shutdown_timeout * 1000),
        .agent_silence_ms = agent_silence_ms(&r),
        .pidfile = r.options.pidfile,
        .burst = r.options.burst != 0,
        .embedded_dir = embedded ? dir : NULL,
        .ready_line = line,
        .child = run_child,
        .data = &r,
    });
}

/* --- check alone ------------------------------------------------------------------------------ */

/* In the child: the report, or '!' and the error, to the pipe. */
static void check_child(const struct runtime *r, int fd)
{
    char errstr[512];
    struct buffer text;
    moil_buffer_init(&text);
    int err = moil_check_load(r, &text, errstr, sizeof errstr);
    if (err) {
        moil_buffer_clear(&text);
        moil_buffer_addf(&text, "!%s", errstr);
    }
    const char *p = moil_buffer_cstr(&text);
    size_t left = text.len;
    while (left > 0) {
        ssize_t n = write(fd, p, left);
        if (n <= 0)
            break;
        p += n;
        left -= (size_t)n;
    }
    _exit(err ? MOIL_EXIT_CHECK : 0);
}

/* Reads until the pipe's end. False when the time is up first. */
static bool read_all(int fd, struct buffer *out)
{
    int64_t end_us = moil_clock_monotonic_us() + CHECK_TIMEOUT_MS * INT64_C(1000);
    for (;;) {
        int64_t left_us = end_us - moil_clock_monotonic_us();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (left_us <= 0 || poll(&p, 1, (int)(left_us / 1000) + 1) == 0)
            return false;
        char *room = moil_buffer_reserve(out, 4096);
        ssize_t n = room ? read(fd, room, 4096) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return true;
        out->len += (size_t)n;
    }
}

static int judge(struct buffer *text, bool in_time, int wait_status, char **json, char *errstr,
                 size_t errlen)
{
    const char *answer = moil_buffer_cstr(text);
    if (!in_time) {
        snprintf(
            errstr, errlen,
            "loading took more than %d ms: scripts must only register tasks when they are loaded",
            CHECK_TIMEOUT_MS);
        return MOIL_STATUS_INVALID;
    }
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
    struct runtime r = {0};
    int fds[2];
    fill_defaults(&r, options);
    int err = check_options(&r, errstr, errlen);
    if (err)
        return err;
    if (pipe(fds) != 0) {
        snprintf(errstr, errlen, "cannot make a pipe: %s", strerror(errno));
        return MOIL_STATUS_NOMEM;
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        check_child(&r, fds[1]);
    }
    close(fds[1]);
    struct buffer text;
    moil_buffer_init(&text);
    bool in_time = pid > 0 && read_all(fds[0], &text);
    close(fds[0]);
    int wait_status = 0;
    if (pid > 0) {
        if (!in_time)
            kill(pid, SIGKILL);
        while (waitpid(pid, &wait_status, 0) < 0 && errno == EINTR)
            ;
    }
    err = judge(&text, in_time, wait_status, json, errstr, errlen);
    moil_buffer_fini(&text);
    return err;
}
