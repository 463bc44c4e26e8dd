/* The supervisor's loop: poll, then signals, bytes, deaths (death.c) and what is due, each of which
 * becomes an event for phase.c.
 *
 * Called by api/runtime.c. It knows pids and pipes, no queue and no Redis. */
#include "super/super.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "super/board.h"
#include "super/death.h"
#include "super/phase.h"
#include "super/pidfile.h"

/* --- bytes ------------------------------------------------------------------------------------ */

static void read_result(struct super *s, struct child *check)
{
    struct buffer *result = &s->generations.result;
    for (;;) {
        char *room = moil_buffer_reserve(result, 4096);
        ssize_t n = room ? read(check->ready_fd, room, 4096) : -1;
        if (n < 0 && room && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0)
            break;
        result->len += (size_t)n;
        if (result->len > SUPER_RESULT_MAX)
            break; /* too much: death.c says so */
    }
    moil_child_close_ready(check);
}

void moil_super_read(struct super *s, struct child *child)
{
    char byte, name[CHILD_NAME_LEN];
    if (child->ready_fd < 0)
        return;
    if (child->role == ROLE_CHECK) {
        read_result(s, child);
        return;
    }
    ssize_t n = read(child->ready_fd, &byte, 1);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    moil_child_close_ready(child);
    if (n != 1)
        return;
    child->listens = true;
    if (child->state != CHILD_STARTING)
        return;
    moil_child_set_state(child, CHILD_READY);
    log_debug("%s is ready", moil_child_name(child, name));
    if (s->quiet != child->quiet && child->role == ROLE_WORKER)
        moil_child_set_quiet(child, s->quiet);
    moil_phase_ready(s, child);
}

/* --- signals ---------------------------------------------------------------------------------- */

static void dump_state(struct super *s)
{
    static const char *const states[CHILD_STATES] = {
        [CHILD_NONE] = "gone",         [CHILD_STARTING] = "starting", [CHILD_READY] = "ready",
        [CHILD_STOPPING] = "stopping", [CHILD_DOWN] = "down",
    };
    char name[CHILD_NAME_LEN];
    log_info("state: %s%s", moil_phase_name(s->phase), s->quiet ? ", quiet" : "");
    for (int i = 0; i < moil_children_count(&s->children); i++) {
        struct child *child = &s->children.all[i];
        if (child->state == CHILD_NONE)
            continue;
        if (child->role != ROLE_WORKER) {
            log_info("state: %s pid %d %s", moil_child_name(child, name), (int)child->pid,
                     states[child->state]);
            continue;
        }
        struct page *page = moil_board_page(s->children.board, child->slot);
        log_info("state: %s pid %d %s, running %u, reserved %u, finished %llu, generation %d",
                 moil_child_name(child, name), (int)child->pid, states[child->state],
                 atomic_load(&page->running), atomic_load(&page->reserved),
                 (unsigned long long)atomic_load(&page->finished), child->generation);
    }
}

/* Also for a rotated log: everybody opens it anew, the supervisor first. */
static void reopen_and_dump(struct super *s)
{
    moil_log_reopen();
    dump_state(s);
    for (int i = CHILD_AGENT; i < moil_children_count(&s->children); i++)
        moil_child_forward(&s->children.all[i], SIGUSR1);
}

static const enum event signal_events[NSIG] = {
    [SIGTERM] = EVENT_STOP,  [SIGINT] = EVENT_STOP,   [SIGQUIT] = EVENT_STOP_NOW,
    [SIGHUP] = EVENT_RELOAD, [SIGTSTP] = EVENT_QUIET, [SIGCONT] = EVENT_RESUME,
    [SIGTTIN] = EVENT_MORE,  [SIGTTOU] = EVENT_LESS,
};

static void serve_signals(struct super *s)
{
    int sig;
    while ((sig = moil_signals_next(&s->signals)) != 0) {
        enum event event = signal_events[sig];
        if (event == EVENT_RELOAD && s->has_terminal) /* it was closed */
            event = EVENT_STOP;
        if (sig == SIGUSR1)
            reopen_and_dump(s);
        else
            moil_phase_event(s, event);
    }
}

/* --- what is due ------------------------------------------------------------------------------ */

static void child_due(struct super *s, struct child *child)
{
    char name[CHILD_NAME_LEN];
    child->due_ms = 0;
    switch (child->state) {
    case CHILD_DOWN:
        moil_generation_start_child(s, child);
        break;
    case CHILD_STOPPING:
        if (child->role == ROLE_WORKER && !child->cold) {
            log_warning("%s (pid %d) did not end in time: its jobs go back to their queues",
                        moil_child_name(child, name), (int)child->pid);
            moil_child_stop(child, SIGQUIT, s->now_ms + CHILD_COLD_MS);
            break;
        }
        log_warning("%s (pid %d) did not leave in time: killed", moil_child_name(child, name),
                    (int)child->pid);
        moil_child_kill(child);
        break;
    case CHILD_STARTING: /* the check */
        moil_child_kill(child);
        break;
    case CHILD_NONE:
    case CHILD_READY:
    case CHILD_STATES:
        break;
    }
}

static void server_due(struct super *s)
{
    char reason[512];
    struct embedded *e = &s->embedded;
    enum embedded_state before = e->state;
    if (moil_embedded_step(e, s->now_ms, reason, sizeof reason) != 0) {
        log_error("%s", reason);
        if (s->phase == PHASE_SERVER)
            moil_phase_fail(s, STATUS_NO_REDIS);
    } else if (before != EMBEDDED_UP && e->state == EMBEDDED_UP && e->pid > 0) {
        log_info("the private redis-server in %s runs (pid %d)", e->dir, (int)e->pid);
    } else if (before != EMBEDDED_UP && e->state == EMBEDDED_UP) {
        log_info("attached to the private redis-server in %s", e->dir);
    }
}

static void watch_due(struct super *s)
{
    int64_t due_ms = moil_watch_due_ms(&s->watch);
    if (due_ms == 0 || s->now_ms < due_ms)
        return;
    log_info("reload: %s has changed", s->watch.changed);
    moil_watch_begin(&s->watch);
    moil_phase_event(s, EVENT_RELOAD);
}

static void serve_due(struct super *s)
{
    watch_due(s);
    for (int i = 0; i < moil_children_count(&s->children); i++) {
        struct child *child = &s->children.all[i];
        if (child->due_ms != 0 && s->now_ms >= child->due_ms)
            child_due(s, child);
    }
    if (s->options->embedded_dir)
        server_due(s);
}

/* --- the loop --------------------------------------------------------------------------------- */

static int64_t clock_ms(void)
{
    return moil_clock_monotonic_us() / 1000;
}

/* Milliseconds until something is due; -1: nothing is. */
enum { LOOK_MS = 500 }; /* between two looks at the workers' pages */

static int poll_timeout(struct super *s)
{
    int64_t now_ms = clock_ms(), next = INT64_MAX, due;
    for (int i = 0; i < moil_children_count(&s->children); i++) {
        due = s->children.all[i].due_ms;
        if (due != 0 && due < next)
            next = due;
    }
    due = moil_generation_due_ms(&s->generations);
    if (due != 0 && due < next)
        next = due;
    due = moil_watch_due_ms(&s->watch);
    if (due != 0 && due < next)
        next = due;
    due = s->options->embedded_dir ? moil_embedded_next_ms(&s->embedded, now_ms) : 0;
    if (due != 0 && due < next)
        next = due;
    due = moil_notify_next_ms(&s->notify);
    if (due != 0 && due < next)
        next = due;
    if (next > now_ms + LOOK_MS)
        next = now_ms + LOOK_MS;
    return next <= now_ms ? 0 : (int)(next - now_ms);
}

enum { FIXED_FDS = 4 };

static void wait_and_read(struct super *s)
{
    struct pollfd fds[FIXED_FDS + CHILDREN_MAX];
    struct child *waiting[CHILDREN_MAX];
    nfds_t n = 0, children = 0;
    fds[n++] = (struct pollfd){.fd = s->signals.fds[0], .events = POLLIN};
    fds[n++] = (struct pollfd){.fd = s->embedded.watch_fd, .events = POLLIN}; /* -1 is passed over
                                                                               */
    fds[n++] = (struct pollfd){.fd = s->watch.fd, .events = POLLIN};
    fds[n++] = (struct pollfd){.fd = s->children.order_fds[0], .events = POLLIN};
    for (int i = 0; i < moil_children_count(&s->children); i++) {
        struct child *child = &s->children.all[i];
        if (child->ready_fd < 0)
            continue;
        waiting[children++] = child;
        fds[n++] = (struct pollfd){.fd = child->ready_fd, .events = POLLIN};
    }
    if (poll(fds, n, poll_timeout(s)) < 0)
        n = 0; /* EINTR: the signal is in the pipe */
    s->now_ms = clock_ms();
    if (n > 0 && fds[1].revents)
        moil_embedded_lost(&s->embedded, s->now_ms);
    if (n > 0 && fds[2].revents)
        moil_watch_read(&s->watch, s->now_ms);
    if (n > 0 && fds[3].revents)
        moil_orders_read(s);
    for (nfds_t i = 0; n > 0 && i < children; i++) {
        if (fds[FIXED_FDS + i].revents)
            moil_super_read(s, waiting[i]);
    }
}

static void kill_overdue(struct super *s)
{
    for (int i = CHILD_WORKERS; i < moil_children_count(&s->children); i++) {
        moil_child_kill_overdue(&s->children, &s->children.all[i], s->now_ms);
        moil_child_kill_unloaded(&s->children, &s->children.all[i], s->now_ms);
    }
}

/* It is started again at once: what it does otherwise the lease does not wait for. */
static void kill_silent_agent(struct super *s)
{
    struct child *agent = &s->children.all[CHILD_AGENT];
    bool watched = agent->state == CHILD_STARTING || agent->state == CHILD_READY;
    int64_t silent_ms = moil_pulse_look(&s->pulse, agent->started_ms, s->now_ms);
    if (!watched || agent->pid <= 0 || silent_ms == 0 || agent->overdue)
        return;
    log_error("agent (pid %d) is killed: it has been silent for %.1f s", (int)agent->pid,
              (double)silent_ms / 1000);
    agent->overdue = true;
    moil_child_kill(agent);
}

static void run(struct super *s)
{
    char reason[512];
    s->now_ms = clock_ms();
    if (s->options->embedded_dir &&
        moil_embedded_start(&s->embedded, s->now_ms, reason, sizeof reason) != 0) {
        log_error("%s", reason);
        moil_phase_fail(s, STATUS_NO_REDIS);
    }
    for (;;) {
        moil_phase_settle(s);
        moil_notify_turn(&s->notify, s);
        if (s->phase == PHASE_DONE)
            return;
        wait_and_read(s);
        serve_signals(s);
        moil_death_reap(s); /* after the signals: a death from here on leaves its byte in the pipe
                             */
        serve_due(s);
        kill_overdue(s);
        kill_silent_agent(s);
    }
}

static bool has_terminal(void)
{
    int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* 0, or the exit status, with the reason logged. */
static int open_super(struct super *s)
{
    char reason[512];
    const struct super_options *o = s->options;
    if (moil_children_open(&s->children, o) != 0) {
        log_error("the supervisor cannot start: %s", strerror(errno));
        return STATUS_FAILED;
    }
    if (moil_pulse_open(&s->pulse, o->agent_silence_ms) != 0) {
        log_error("the supervisor cannot start: out of memory");
        return STATUS_FAILED;
    }
    s->children.pulse = s->pulse.pulse;
    if (o->plan.workers < (o->alone ? 0 : 1) || o->plan.workers > SUPER_WORKERS_MAX) {
        log_error("the number of workers is 1 to %d, not %d", SUPER_WORKERS_MAX, o->plan.workers);
        return STATUS_USAGE;
    }
    if (moil_signals_open(&s->signals) != 0) {
        log_error("the supervisor cannot start: %s", strerror(errno));
        return STATUS_FAILED;
    }
    /* After that: a signal from here on ends us in order, and the file goes. */
    if (o->pidfile && moil_pidfile_take(o->pidfile, &s->pidfile_fd, reason, sizeof reason) != 0) {
        log_error("%s", reason);
        return STATUS_USAGE;
    }
    return 0;
}

int moil_super_run(const struct super_options *options)
{
    struct super *s = moil_mem_zalloc(1, sizeof *s);
    if (!s)
        return STATUS_FAILED;
    s->options = options;
    s->pidfile_fd = -1;
    s->signals.fds[0] = s->signals.fds[1] = -1;
    s->has_terminal = has_terminal();
    moil_notify_open(&s->notify);
    moil_embedded_init(&s->embedded, options->embedded_dir);
    moil_generations_init(&s->generations);
    moil_watch_init(&s->watch);
    if (options->watch)
        moil_watch_open(&s->watch);

    int status = open_super(s);
    if (status == 0) {
        run(s);
        status = s->status;
    }
    if (s->pidfile_fd >= 0) /* before a signal ends us again */
        moil_pidfile_drop(options->pidfile, s->pidfile_fd);
    moil_signals_close(&s->signals);
    moil_children_close(&s->children);
    moil_pulse_close(&s->pulse);
    moil_embedded_fini(&s->embedded);
    moil_generations_fini(&s->generations);
    moil_watch_close(&s->watch);
    moil_mem_free(s);
    return status;
}
