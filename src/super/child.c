/* Forking, telling and burying the supervisor's children; their pages and pipes. See child.h. */
#include "super/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"

enum {
    PAGE_STRIDE = (sizeof(struct page) + 4095) / 4096 * 4096, /* whole pages of memory */
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

/* --- pages ------------------------------------------------------------------------------------ */

static _Atomic int *slot_count(char *pages)
{
    return (_Atomic int *)(void *)pages;
}

static struct page *page_at(char *pages, int slot)
{
    return (struct page *)(void *)(pages + (size_t)(slot + 1) * PAGE_STRIDE);
}

struct page *moil_context_page(const struct child_context *context, int slot)
{
    assert(slot >= 0 && slot < SUPER_SLOTS_MAX);
    return page_at(context->pages, slot);
}

int moil_context_slots(const struct child_context *context)
{
    return atomic_load(slot_count(context->pages));
}

int moil_children_slots(const struct children *c)
{
    return atomic_load(slot_count(c->pages));
}

int moil_children_count(const struct children *c)
{
    return CHILD_WORKERS + moil_children_slots(c);
}

/* --- the table -------------------------------------------------------------------------------- */

int moil_children_open(struct children *c, const struct super_options *options)
{
    *c = (struct children){.options = options,
                           .word_fds = {-1, -1},
                           .check_result = "",
                           .own_fds = {-1, -1, -1, -1, -1}};
    for (int i = 0; i < CHILDREN_MAX; i++) {
        c->all[i] = (struct child){.role = ROLE_WORKER, .slot = i - CHILD_WORKERS, .ready_fd = -1};
    }
    c->all[CHILD_CHECK].role = ROLE_CHECK;
    c->all[CHILD_CHECK].slot = 0;
    c->all[CHILD_AGENT].role = ROLE_AGENT;
    c->all[CHILD_AGENT].slot = 0;

    size_t size = (size_t)(SUPER_SLOTS_MAX + 1) * PAGE_STRIDE;
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return MOIL_ENOMEM;
    c->pages = pages;
    return pipe2(c->word_fds, O_CLOEXEC | O_NONBLOCK) == 0 ? 0 : MOIL_ESYS;
}

void moil_children_close(struct children *c)
{
    for (int i = 0; i < CHILDREN_MAX; i++)
        moil_child_close_ready(&c->all[i]);
    for (int i = 0; i < 2; i++) {
        if (c->word_fds[i] >= 0)
            close(c->word_fds[i]);
    }
    if (c->pages)
        munmap(c->pages, (size_t)(SUPER_SLOTS_MAX + 1) * PAGE_STRIDE);
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

static void close_supervisor_fds(struct children *c, bool keep_words)
{
    for (int i = 0; i < CHILDREN_MAX; i++)
        moil_child_close_ready(&c->all[i]);
    for (size_t i = 0; i < sizeof c->own_fds / sizeof c->own_fds[0]; i++) {
        if (c->own_fds[i] >= 0)
            close(c->own_fds[i]);
    }
    close(c->word_fds[1]);
    if (!keep_words)
        close(c->word_fds[0]);
}

static _Noreturn void run_child(struct children *c, struct child *child, int ready_fd)
{
    char name[CHILD_NAME_LEN];
    bool agent = child->role == ROLE_AGENT;
    close_supervisor_fds(c, agent);
    moil_log_set_role(moil_child_name(child, name));
    if (child->role == ROLE_CHECK) {
        struct rlimit cpu = {.rlim_cur = CHECK_CPU_S, .rlim_max = CHECK_CPU_S + 1};
        setrlimit(RLIMIT_CPU, &cpu);
    }
    struct child_context context = {
        .role = child->role,
        .slot = child->slot,
        .generation = 1,
        .page = child->role == ROLE_WORKER ? page_at(c->pages, child->slot) : NULL,
        .pages = c->pages,
        .ready_fd = ready_fd,
        .pulse = agent ? c->pulse : NULL,
        .word_fd = agent ? c->word_fds[0] : -1,
        .check_result = c->check_result,
        .check_len = c->check_len,
        .data = c->options->data,
    };
    _exit(c->options->child(&context));
}

int moil_child_start(struct children *c, struct child *child, int64_t now_ms)
{
    assert(child->pid == 0);
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return MOIL_ESYS;
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    if (child->role == ROLE_WORKER && child->slot >= moil_children_slots(c))
        atomic_store(slot_count(c->pages), child->slot + 1);
    pid_t pid = moil_child_fork(SIGKILL);
    if (pid == 0) {
        close(fds[0]);
        run_child(c, child, fds[1]);
    }
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return MOIL_ESYS;
    }
    moil_child_set_state(child, CHILD_STARTING);
    child->pid = pid;
    child->ready_fd = fds[0];
    child->started_ms = now_ms;
    child->overdue = child->cold = false;
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
    if (child->state == CHILD_READY)
        kill(child->pid, sig);
}

void moil_child_kill(const struct child *child)
{
    if (child->pid > 0)
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
    const struct page *page = page_at(c->pages, child->slot);
    int64_t hard_ms = atomic_load(&page->hard_deadline_us) / 1000;
    char name[CHILD_NAME_LEN], on_cpu[sizeof page->on_cpu + 1];
    copy_word(on_cpu, page->on_cpu, sizeof page->on_cpu - 1);
    if (hard_ms == 0 || strcmp(on_cpu, "-") == 0 || now_ms < hard_ms + CHILD_OVERDUE_MS)
        return;
    log_error("%s (pid %d) is killed: job %s is past its time limit and does not stop",
              moil_child_name(child, name), (int)child->pid, on_cpu);
    child->overdue = true;
    moil_child_kill(child);
}

void moil_child_tell_death(struct children *c, const struct child *child, int wait_status)
{
    if (child->role != ROLE_WORKER)
        return;
    const struct page *page = page_at(c->pages, child->slot);
    if (page->incarnation[0] == '\0')
        return;
    char incarnation[sizeof page->incarnation + 1], on_cpu[sizeof page->on_cpu + 1];
    copy_word(incarnation, page->incarnation, sizeof page->incarnation - 1);
    copy_word(on_cpu, page->on_cpu, sizeof page->on_cpu - 1);
    bool signalled = WIFSIGNALED(wait_status);
    char line[512];
    int n = snprintf(line, sizeof line, "dead %d %s %s %d %s\n", child->slot, incarnation,
                     !signalled                       ? "exit"
                     : child->overdue                 ? "limit"
                     : child->state == CHILD_STOPPING ? "stop"
                                                      : "signal",
                     signalled ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status), on_cpu);
    if (write(c->word_fds[1], line, (size_t)n) != n)
        log_warning("the agent was not told of the death of worker %d (incarnation %s): %s",
                    child->slot + 1, incarnation, strerror(errno));
}

void moil_child_bury(struct children *c, struct child *child)
{
    moil_child_close_ready(child);
    child->pid = 0;
    if (child->role == ROLE_WORKER) {
        memset(page_at(c->pages, child->slot), 0, offsetof(struct page, claims));
        moil_claims_begin(&page_at(c->pages, child->slot)->claims);
    }
}
