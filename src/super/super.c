/* The supervisor's loop: poll, then signals, bytes, deaths and what is due, each of which becomes
 * an event for phase.c.
 *
 * Called by api/runtime.c. It knows pids and pipes, no queue and no Redis. */
#include "super/super.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "super/phase.h"
#include "super/pidfile.h"

/* --- deaths ----------------------------------------------------------------------------------- */

static bool left_cleanly(int wait_status)
{
    return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
}

static const char *describe_death(int wait_status, char *out, size_t len)
{
    if (WIFSIGNALED(wait_status))
        snprintf(out, len, "killed by signal %d (%s)%s", WTERMSIG(wait_status),
                 strsignal(WTERMSIG(wait_status)), WCOREDUMP(wait_status) ? ", core dumped" : "");
    else
        snprintf(out, len, "exited with status %d", WEXITSTATUS(wait_status));
    return out;
}

/* It died unasked: it is started again, later the more often it does so. */
static void restart_later(struct super *s, struct child *child, pid_t pid, int wait_status)
{
    char name[CHILD_NAME_LEN], how[96];
    struct backoff *b = &child->backoff;
    /* An agent that was killed for its silence (a name server that does not answer) is no crash
     * loop: the lease is waiting. */
    bool silent = child->role == ROLE_AGENT && child->overdue;
    int64_t delay_ms =
        moil_backoff_death(b, silent ? BACKOFF_STABLE_MS : s->now_ms - child->started_ms);
    moil_child_name(child, name);
    describe_death(wait_status, how, sizeof how);
    double delay_s = (double)delay_ms / 1000;
    if (moil_backoff_is_loop(b))
        log_error("crash loop: %s died %d times within %d s of its start (pid %d %s); next try in "
                  "%.1f s",
                  moil_child_name(child, name), b->quick_deaths, BACKOFF_STABLE_MS / 1000, (int)pid,
                  how, delay_s);
    else
        log_error("%s (pid %d) %s; next try in %.1f s", moil_child_name(child, name), (int)pid, how,
                  delay_s);
    moil_child_set_state(child, CHILD_DOWN);
    child->due_ms = s->now_ms + delay_ms;
}

/* 2 is always final; 3 only before everybody was ready: later, Redis is waited for. */
static bool is_final(const struct super *s, int wait_status)
{
    if (!WIFEXITED(wait_status))
        return false;
    int status = WEXITSTATUS(wait_status);
    return status == STATUS_USAGE || (status == STATUS_NO_REDIS && s->phase == PHASE_STARTING);
}

static void unwanted_died(struct child *child, pid_t pid, int wait_status, bool asked)
{
    char name[CHILD_NAME_LEN], how[96];
    bool by_our_signal = WIFSIGNALED(wait_status) &&
                         (WTERMSIG(wait_status) == SIGTERM || WTERMSIG(wait_status) == SIGKILL);
    if (!left_cleanly(wait_status) && !(asked && by_our_signal))
        log_warning("%s (pid %d) %s", moil_child_name(child, name), (int)pid,
                    describe_death(wait_status, how, sizeof how));
    moil_child_set_state(child, CHILD_NONE);
}

static void child_died(struct super *s, struct child *child, pid_t pid, int wait_status)
{
    bool asked = child->state == CHILD_STOPPING, clean = left_cleanly(wait_status);
    if (asked || !moil_phase_wants(s, child->role)) {
        unwanted_died(child, pid, wait_status, asked);
    } else if (is_final(s, wait_status)) {
        moil_child_set_state(child, CHILD_NONE);
        moil_phase_fail(s, WEXITSTATUS(wait_status));
    } else if (clean && s->options->burst && child->role == ROLE_WORKER) {
        moil_child_set_state(child, CHILD_NONE);
    } else if (clean && child->state == CHILD_READY && child->role == ROLE_WORKER) {
        char name[CHILD_NAME_LEN];
        log_info("%s (pid %d) left; another takes its place", moil_child_name(child, name),
                 (int)pid);
        moil_child_set_state(child, CHILD_DOWN);
        child->due_ms = s->now_ms;
    } else {
        restart_later(s, child, pid, wait_status);
    }
}

static void check_died(struct super *s, struct child *check, pid_t pid, int wait_status)
{
    bool asked = check->state == CHILD_STOPPING;
    bool too_long =
        check->due_ms == 0 || (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGXCPU);
    char how[96];
    moil_child_set_state(check, CHILD_NONE);
    if (asked)
        return;
    if (left_cleanly(wait_status)) {
        moil_phase_event(s, EVENT_CHECKED);
        return;
    }
    if (too_long)
        log_error("loading took more than 1 s: a task file waits or loops while it is loaded");
    else if (WIFSIGNALED(wait_status))
        log_error("check (pid %d) %s", (int)pid, describe_death(wait_status, how, sizeof how));
    moil_phase_fail(s, WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : STATUS_CHECK);
}

static void server_died(struct super *s, int wait_status)
{
    char reason[512];
    moil_embedded_reaped(&s->embedded, wait_status, s->now_ms, reason, sizeof reason);
    if (reason[0])
        log_error("%s", reason);
    if (s->phase == PHASE_SERVER)
        moil_phase_fail(s, STATUS_NO_REDIS);
}

static void read_ready(struct super *s, struct child *child);

static void bury(struct super *s, pid_t pid, int wait_status)
{
    if (pid == s->embedded.pid) {
        server_died(s, wait_status);
        return;
    }
    struct child *child = moil_children_find(&s->children, pid);
    if (!child) /* of the host program, or an orphan that came to us as process 1 */
        return;
    read_ready(s, child); /* what it wrote last */
    if (!left_cleanly(wait_status))
        moil_child_tell_death(&s->children, child, wait_status);
    moil_child_bury(&s->children, child);
    if (child->role == ROLE_CHECK)
        check_died(s, child, pid, wait_status);
    else
        child_died(s, child, pid, wait_status);
}

static void reap(struct super *s)
{
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
            return;
        pid_t pid = info.si_pid;
        bool ours = pid == s->embedded.pid || moil_children_find(&s->children, pid);
        /* What a crashed child leaves in its process group goes too; unreaped, its number is still
         * its own. */
        if (ours && (info.si_code != CLD_EXITED || info.si_status != 0))
            kill(-pid, SIGKILL);
        int wait_status;
        if (waitpid(pid, &wait_status, 0) == pid)
            bury(s, pid, wait_status);
    }
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void read_result(struct super *s, struct child *check)
{
    for (;;) {
        char *room = moil_buffer_reserve(&s->result, 4096);
        ssize_t n = room ? read(check->ready_fd, room, 4096) : -1;
        if (n < 0 && room && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0)
            break;
        s->result.len += (size_t)n;
        if (s->result.len > SUPER_RESULT_MAX) {
            log_error("the tasks are too many: what the check found is over 1 MB");
            moil_phase_fail(s, STATUS_CHECK);
            break;
        }
    }
    moil_child_close_ready(check);
}

static void read_ready(struct super *s, struct child *child)
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
    if (n != 1 || child->state != CHILD_STARTING)
        return;
    moil_child_set_state(child, CHILD_READY);
    log_debug("%s is ready", moil_child_name(child, name));
    if (s->quiet && child->role == ROLE_WORKER)
        moil_child_forward(child, SIGTSTP);
}

/* --- signals ---------------------------------------------------------------------------------- */

static void dump_state(struct super *s)
{
    static const char *const states[CHILD_STATES] = {
        [CHILD_NONE] = "gone",         [CHILD_STARTING] = "starting", [CHILD_READY] = "ready",
        [CHILD_STOPPING] = "stopping", [CHILD_DOWN] = "down",
    };
    char name[CHILD_NAME_LEN];
    struct child_context view = {.pages = s->children.pages};
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
        struct page *page = moil_context_page(&view, child->slot);
        log_info("state: %s pid %d %s, running %u, reserved %u, finished %llu",
                 moil_child_name(child, name), (int)child->pid, states[child->state],
                 atomic_load(&page->running), atomic_load(&page->reserved),
                 (unsigned long long)atomic_load(&page->finished));
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
        moil_phase_start_child(s, child);
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

static void serve_due(struct super *s)
{
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

static int poll_timeout(const struct super *s)
{
    int64_t now_ms = clock_ms(), next = INT64_MAX, due;
    for (int i = 0; i < moil_children_count(&s->children); i++) {
        due = s->children.all[i].due_ms;
        if (due != 0 && due < next)
            next = due;
    }
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

static void wait_and_read(struct super *s)
{
    struct pollfd fds[2 + CHILDREN_MAX];
    struct child *waiting[CHILDREN_MAX];
    nfds_t n = 0, children = 0;
    fds[n++] = (struct pollfd){.fd = s->signals.fds[0], .events = POLLIN};
    fds[n++] = (struct pollfd){.fd = s->embedded.watch_fd, .events = POLLIN}; /* -1 is passed over
                                                                               */
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
    for (nfds_t i = 0; n > 0 && i < children; i++) {
        if (fds[2 + i].revents)
            read_ready(s, waiting[i]);
    }
}

static void kill_overdue(struct super *s)
{
    for (int i = CHILD_WORKERS; i < moil_children_count(&s->children); i++)
        moil_child_kill_overdue(&s->children, &s->children.all[i], s->now_ms);
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
        reap(s); /* after the signals: a death from here on leaves its byte in the pipe */
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
    if (o->workers < 1 || o->workers > SUPER_SLOTS_MAX) {
        log_error("the number of workers is 1 to %d, not %d", SUPER_SLOTS_MAX, o->workers);
        return STATUS_USAGE;
    }
    if (o->pidfile && moil_pidfile_take(o->pidfile, &s->pidfile_fd, reason, sizeof reason) != 0) {
        log_error("%s", reason);
        return STATUS_USAGE;
    }
    if (moil_signals_open(&s->signals) != 0) {
        log_error("the supervisor cannot start: %s", strerror(errno));
        return STATUS_FAILED;
    }
    return 0;
}

int moil_super_run(const struct super_options *options)
{
    struct super *s = calloc(1, sizeof *s);
    if (!s)
        return STATUS_FAILED;
    s->options = options;
    s->pidfile_fd = -1;
    s->signals.fds[0] = s->signals.fds[1] = -1;
    s->has_terminal = has_terminal();
    moil_notify_open(&s->notify);
    moil_embedded_init(&s->embedded, options->embedded_dir);
    moil_buffer_init(&s->result);

    int status = open_super(s);
    if (status == 0) {
        run(s);
        status = s->status;
    }
    moil_signals_close(&s->signals);
    moil_children_close(&s->children);
    moil_pulse_close(&s->pulse);
    moil_embedded_fini(&s->embedded);
    moil_buffer_fini(&s->result);
    if (s->pidfile_fd >= 0)
        moil_pidfile_drop(options->pidfile, s->pidfile_fd);
    free(s);
    return status;
}
