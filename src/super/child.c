/* Forking, telling and burying the supervisor's children; their pages and pipes. See child.h. */
#include "super/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "super/board.h"

enum {
    CHECK_CPU_S = 1, /* a script that loops while it is loaded is stopped (ARCHITECTURE 3) */
};

#define BIT(s) (1u << (s))

static const unsigned allowed_moves[CHILD_STATES] = {
    [CHILD_NONE] = BIT(CHILD_STARTING) | BIT(CHILD_DOWN), /* down: the fork failed */
    [CHILD_STARTING] = BIT(CHILD_READY) | BIT(CHILD_STOPPING) | BIT(CHILD_DOWN) | BIT(CHILD_NONE),
    [CHILD_READY] = BIT(CHILD_STOPPING) | BIT(CHILD_DOWN) | BIT(CHILD_NONE),
    [CHILD_STOPPING] = BIT(CHILD_STOPPING) | BIT(CHILD_NONE),
    [CHILD_DOWN] = BIT(CHILD_STARTING) | BIT(CHILD_DOWN) | BIT(CHILD_NONE),
};

/* --- what a child sees of the board ----------------------------------------------------------- */

struct page *moil_context_page(const struct child_context *context, int slot)
{
    return moil_board_page(context->board, slot);
}

int moil_context_slots(const struct child_context *context)
{
    return moil_board_slots(context->board);
}

bool moil_context_report(const struct child_context *context, struct buffer *out, int *generation)
{
    return moil_board_read(context->board, out, generation);
}

/* --- the table -------------------------------------------------------------------------------- */

int moil_children_slots(const struct children *c)
{
    return moil_board_slots(c->board);
}

int moil_children_count(const struct children *c)
{
    return CHILD_WORKERS + moil_children_slots(c);
}

int moil_children_open(struct children *c, const struct super_options *options)
{
    memset(c, 0, sizeof *c);
    c->options = options;
    c->word_fds[0] = c->word_fds[1] = c->order_fds[0] = c->order_fds[1] = -1;
    for (int i = 0; i < CHILD_OWN_FDS; i++)
        c->own_fds[i] = -1;
    for (int i = 0; i < CHILDREN_MAX; i++) {
        c->all[i] = (struct child){.role = ROLE_WORKER, .slot = i - CHILD_WORKERS, .ready_fd = -1};
    }
    c->all[CHILD_CHECK].role = ROLE_CHECK;
    c->all[CHILD_CHECK].slot = 0;
    c->all[CHILD_AGENT].role = ROLE_AGENT;
    c->all[CHILD_AGENT].slot = 0;

    c->board = moil_board_new();
    if (!c->board)
        return MOIL_ENOMEM;
    if (pipe2(c->word_fds, O_CLOEXEC | O_NONBLOCK) != 0 ||
        pipe2(c->order_fds, O_CLOEXEC | O_NONBLOCK) != 0)
        return MOIL_ESYS;
    return 0;
}

void moil_children_close(struct children *c)
{
    for (int i = 0; i < CHILDREN_MAX; i++) {
        moil_child_close_ready(&c->all[i]);
        moil_mem_free(c->all[i].late_job);
    }
    for (int i = 0; i < 2; i++) {
        if (c->word_fds[i] >= 0)
            close(c->word_fds[i]);
        if (c->order_fds[i] >= 0)
            close(c->order_fds[i]);
    }
    moil_board_free(c->board);
}

struct child *moil_children_find(struct children *c, pid_t pid)
{
    for (int i = 0; i < moil_children_count(c); i++) {
        if (c->all[i].pid == pid)
            return &c->all[i];
    }
    return NULL;
}

const char *moil_child_name(const struct child *child, char out[CHILD_NAME_LEN])
{
    switch (child->role) {
    case ROLE_CHECK:
        return "check";
    case ROLE_AGENT:
        return "agent";
    case ROLE_WORKER:
        break;
    }
    snprintf(out, CHILD_NAME_LEN, "worker %d", child->slot + 1);
    return out;
}

void moil_child_set_state(struct child *child, enum child_state state)
{
    assert(allowed_moves[child->state] & BIT(state));
    child->state = state;
    child->due_ms = 0;
}

/* --- starting --------------------------------------------------------------------------------- */

static void set_default_signals(void)
{
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);
    /* A child is never in the terminal's foreground group: with these ignored, a log line passes
     * where `stty tostop` would stop its writer, and a read from the terminal fails instead of
     * stopping its reader. */
    signal(SIGTTIN, SIG_IGN);
    signal(SIGTTOU, SIG_IGN);
}

static void detach(int death_signal, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, death_signal);
    if (getppid() != parent) /* it died before the prctl: no signal will come */
        _exit(1);
    setpgid(0, 0);
    set_default_signals();
    int null = open("/dev/null", O_RDONLY);
    if (null > 0) {
        dup2(null, STDIN_FILENO);
        close(null);
    }
}

pid_t moil_child_fork(int death_signal)
{
    sigset_t all, before, none;
    sigfillset(&all);
    sigemptyset(&none);
    pid_t parent = getpid();
    /* Blocked until the child has its own dispositions: its handlers would write to the
     * supervisor's pipe. */
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) {
        detach(death_signal, parent);
        sigprocmask(SIG_SETMASK, &none, NULL);
        return 0;
    }
    int saved = errno;
    if (pid > 0)
        setpgid(pid, pid); /* on both sides: who comes first must find it done */
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return pid;
}

static void close_supervisor_fds(struct children *c, bool is_agent, int snapshot_fd)
{
    for (int i = 0; i < moil_children_count(c); i++)
        moil_child_close_ready(&c->all[i]);
    for (size_t i = 0; i < CHILD_OWN_FDS; i++) {
        if (c->own_fds[i] >= 0 && c->own_fds[i] != snapshot_fd)
            close(c->own_fds[i]);
    }
    close(c->word_fds[1]);
    close(c->order_fds[0]);
    if (!is_agent) {
        close(c->word_fds[0]);
        close(c->order_fds[1]);
        if (c->options->agent_fd >= 0)
            close(c->options->agent_fd);
    }
}

static _Noreturn void run_child(struct children *c, struct child *child, int ready_fd,
                                int snapshot_fd)
{
    char name[CHILD_NAME_LEN];
    bool agent = child->role == ROLE_AGENT;
    close_supervisor_fds(c, agent, snapshot_fd);
    moil_log_set_role(moil_child_name(child, name));
    if (child->role == ROLE_CHECK) {
        struct rlimit cpu = {.rlim_cur = CHECK_CPU_S, .rlim_max = CHECK_CPU_S + 1};
        setrlimit(RLIMIT_CPU, &cpu);
    }
    struct child_context context = {
        .role = child->role,
        .slot = child->slot,
        .generation = child->generation,
        .page = child->role == ROLE_WORKER ? moil_board_page(c->board, child->slot) : NULL,
        .board = c->board,
        .ready_fd = ready_fd,
        .pulse = agent ? c->pulse : NULL,
        .word_fd = agent ? c->word_fds[0] : -1,
        .order_fd = agent ? c->order_fds[1] : -1,
        .snapshot_fd = snapshot_fd,
        .quiet = child->quiet,
        .plan = moil_board_plan(c->board),
        .data = c->options->data,
    };
    _exit(c->options->child(&context));
}

int moil_child_start(struct children *c, struct child *child, int snapshot_fd, int64_t now_ms)
{
    assert(child->pid == 0);
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return MOIL_ESYS;
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    if (child->role == ROLE_WORKER) {
        moil_board_use_slot(c->board, child->slot);
        atomic_store(&moil_board_page(c->board, child->slot)->generation,
                     (uint32_t)child->generation);
    }
    pid_t pid = moil_child_fork(SIGKILL);
    if (pid == 0) {
        close(fds[0]);
        run_child(c, child, fds[1], snapshot_fd);
    }
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return MOIL_ESYS;
    }
    moil_child_set_state(child, CHILD_STARTING);
    if (child->role == ROLE_WORKER)
        atomic_store(&moil_board_page(c->board, child->slot)->pid, (int32_t)pid);
    child->pid = pid;
    child->ready_fd = fds[0];
    child->started_ms = now_ms;
    child->overdue = child->cold = child->killed = child->listens = child->retired = false;
    return 0;
}

void moil_child_close_ready(struct child *child)
{
    if (child->ready_fd >= 0)
        close(child->ready_fd);
    child->ready_fd = -1;
}

/* --- telling ---------------------------------------------------------------------------------- */

void moil_child_stop(struct child *child, int sig, int64_t kill_at_ms)
{
    switch (child->state) {
    case CHILD_NONE:
        return;
    case CHILD_DOWN:
        moil_child_set_state(child, CHILD_NONE);
        return;
    case CHILD_STARTING:
        kill(child->pid, SIGTERM);
        break;
    case CHILD_READY:
    case CHILD_STOPPING:
        kill(child->pid, sig);
        break;
    case CHILD_STATES:
        return;
    }
    moil_child_set_state(child, CHILD_STOPPING);
    child->cold = sig == SIGQUIT;
    child->due_ms = kill_at_ms;
}

void moil_child_forward(const struct child *child, int sig)
{
    if (child->pid > 0 && child->listens)
        kill(child->pid, sig);
}

void moil_child_set_quiet(struct child *child, bool quiet)
{
    moil_child_forward(child, quiet ? SIGTSTP : SIGCONT);
    if (child->listens)
        child->quiet = quiet;
}

void moil_child_kill(struct child *child)
{
    if (child->pid <= 0)
        return;
    child->killed = true;
    kill(-child->pid, SIGKILL);
}

/* --- burying ---------------------------------------------------------------------------------- */

/* The dead worker's memory may hold anything: copies at most `max` bytes of printable text, or "-".
 */
static void copy_word(char *out, const char *from, size_t max)
{
    size_t n = strnlen(from, max);
    for (size_t i = 0; i < n; i++)
        out[i] = from[i] > ' ' && from[i] < 0x7f ? from[i] : '?';
    if (n == 0)
        out[n++] = '-';
    out[n] = '\0';
}

void moil_child_kill_overdue(struct children *c, struct child *child, int64_t now_ms)
{
    if (child->role != ROLE_WORKER || child->state == CHILD_NONE || child->pid <= 0 ||
        child->overdue)
        return;
    const struct page *page = moil_board_page(c->board, child->slot);
    char name[CHILD_NAME_LEN], on_cpu[sizeof page->on_cpu + 1], still[sizeof page->on_cpu + 1];
    copy_word(on_cpu, page->on_cpu, sizeof page->on_cpu - 1);
    int64_t hard_ms = atomic_load(&page->hard_deadline_us) / 1000;
    copy_word(still, page->on_cpu, sizeof page->on_cpu - 1);
    if (hard_ms == 0 || strcmp(on_cpu, "-") == 0 || strcmp(on_cpu, still) != 0 ||
        now_ms < hard_ms + CHILD_OVERDUE_MS)
        return;
    moil_tally_event(c->options->tally, TALLY_WORKER_KILLED);
    log_error("%s (pid %d) is killed: job %s is past its time limit and does not stop",
              moil_child_name(child, name), (int)child->pid, on_cpu);
    child->overdue = true;
    child->late_job = moil_mem_strdup(on_cpu); /* NULL: then nobody is charged */
    moil_child_kill(child);
}

void moil_child_kill_unloaded(struct children *c, struct child *child, int64_t now_ms)
{
    int load_ms = c->options->load_ms;
    char name[CHILD_NAME_LEN];
    if (child->role != ROLE_WORKER || child->state != CHILD_STARTING || child->killed ||
        load_ms == 0 || now_ms < child->started_ms + load_ms ||
        atomic_load(&moil_board_page(c->board, child->slot)->loaded))
        return;
    moil_tally_event(c->options->tally, TALLY_WORKER_KILLED);
    log_error("%s (pid %d) is killed: it has not loaded its tasks within %g s",
              moil_child_name(child, name), (int)child->pid, load_ms / 1000.0);
    moil_child_kill(child);
}

void moil_children_say(struct children *c, const char *line)
{
    size_t n = strlen(line);
    if (write(c->word_fds[1], line, n) != (ssize_t)n)
        log_warning("the agent was not told \"%.*s\": %s", (int)n - 1, line, strerror(errno));
}

/* SIGTERM and SIGQUIT end a child that has no handlers yet. */
static bool was_told(int wait_status)
{
    return WIFSIGNALED(wait_status) &&
           (WTERMSIG(wait_status) == SIGTERM || WTERMSIG(wait_status) == SIGQUIT);
}

void moil_child_tell_death(struct children *c, const struct child *child, int wait_status)
{
    if (child->role != ROLE_WORKER)
        return;
    const struct page *page = moil_board_page(c->board, child->slot);
    if (page->incarnation[0] == '\0')
        return;
    char incarnation[sizeof page->incarnation + 1], on_cpu[sizeof page->on_cpu + 1];
    copy_word(incarnation, page->incarnation, sizeof page->incarnation - 1);
    copy_word(on_cpu, page->on_cpu, sizeof page->on_cpu - 1);
    bool signalled = WIFSIGNALED(wait_status);
    bool late = child->late_job && strcmp(on_cpu, child->late_job) == 0;
    bool stopped = child->state == CHILD_STOPPING && (child->killed || was_told(wait_status));
    char line[512];
    snprintf(line, sizeof line, "dead %d %s %s %d %d %s\n", child->slot, incarnation,
             !signalled                  ? "exit"
             : late                      ? "limit"
             : stopped || child->overdue ? "stop"
                                         : "signal",
             signalled ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status),
             (int)atomic_load(&page->deliveries_max), on_cpu);
    moil_children_say(c, line);
}

void moil_child_bury(struct children *c, struct child *child)
{
    moil_child_close_ready(child);
    child->pid = 0;
    child->listens = false;
    moil_mem_free(child->late_job);
    child->late_job = NULL;
    if (child->role == ROLE_WORKER) {
        struct page *page = moil_board_page(c->board, child->slot);
        child->retired = atomic_load(&page->retires) != 0;
        memset(page, 0, offsetof(struct page, claims));
        moil_claims_begin(&page->claims);
    }
}
