/* generation.c: see generation.h. */
#include "super/generation.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crash_point.h"
#include "base/error.h"
#include "base/log.h"
#include "super/board.h"
#include "super/phase.h"

enum {
    CHECK_MS = 3000, /* wall time, so that a loaded machine fails nobody: its CPU time has 1 s */
    RETRY_MS = 1000, /* after a fork that failed */
    NOEXEC_SEAL = 8, /* MFD_NOEXEC_SEAL, which came with Linux 6.3 */
};

#define BIT(s) (1u << (s))

static const unsigned allowed_moves[GENERATION_STATES] = {
    [GENERATION_NONE] = BIT(GENERATION_CHECKING),
    [GENERATION_CHECKING] =
        BIT(GENERATION_STARTING) | BIT(GENERATION_SERVING) | BIT(GENERATION_NONE),
    [GENERATION_STARTING] = BIT(GENERATION_SERVING) | BIT(GENERATION_DRAINING),
    [GENERATION_SERVING] = BIT(GENERATION_DRAINING),
    [GENERATION_DRAINING] = BIT(GENERATION_NONE),
};

/* --- the table -------------------------------------------------------------------------------- */

static void close_snapshot(struct generation *g)
{
    if (g->snapshot_fd >= 0)
        close(g->snapshot_fd);
    g->snapshot_fd = -1;
}

static void set_state(struct generation *g, enum generation_state state)
{
    assert(allowed_moves[g->state] & BIT(state));
    g->state = state;
    g->due_ms = 0;
    if (state == GENERATION_DRAINING || state == GENERATION_NONE)
        close_snapshot(g);
}

void moil_generations_init(struct generations *g)
{
    memset(g, 0, sizeof *g);
    for (int i = 0; i < SUPER_GENERATIONS_MAX; i++)
        g->all[i].snapshot_fd = -1;
    moil_buffer_init(&g->result);
}

void moil_generations_fini(struct generations *g)
{
    for (int i = 0; i < SUPER_GENERATIONS_MAX; i++)
        close_snapshot(&g->all[i]);
    moil_buffer_fini(&g->result);
}

struct generation *moil_generation_in(struct generations *g, enum generation_state state)
{
    for (int i = 0; i < SUPER_GENERATIONS_MAX; i++) {
        if (g->all[i].state == state)
            return &g->all[i];
    }
    return NULL;
}

bool moil_generation_is_reloading(const struct generations *g)
{
    for (int i = 0; i < SUPER_GENERATIONS_MAX; i++) {
        if (g->all[i].state == GENERATION_CHECKING || g->all[i].state == GENERATION_STARTING)
            return true;
    }
    return false;
}

struct generation *moil_generation_find(struct generations *g, int number)
{
    for (int i = 0; i < SUPER_GENERATIONS_MAX; i++) {
        if (g->all[i].state != GENERATION_NONE && g->all[i].number == number)
            return &g->all[i];
    }
    return NULL;
}

static int count_draining(const struct generations *g)
{
    int n = 0;
    for (int i = 0; i < SUPER_GENERATIONS_MAX; i++)
        n += g->all[i].state == GENERATION_DRAINING;
    return n;
}

int moil_generation_count(const struct super *s, int number)
{
    int n = 0;
    for (int i = CHILD_WORKERS; i < moil_children_count(&s->children); i++) {
        const struct child *child = &s->children.all[i];
        n += child->generation == number && child->state != CHILD_NONE &&
             child->state != CHILD_STOPPING;
    }
    return n;
}

/* --- children --------------------------------------------------------------------------------- */

static void note_own_fds(struct super *s)
{
    int *own = s->children.own_fds, n = 0;
    own[n++] = s->signals.fds[0];
    own[n++] = s->signals.fds[1];
    own[n++] = s->pidfile_fd;
    own[n++] = s->embedded.watch_fd;
    own[n++] = s->embedded.dir_fd;
    own[n++] = s->watch.fd;
    for (int i = 0; i < SUPER_GENERATIONS_MAX; i++)
        own[n++] = s->generations.all[i].snapshot_fd;
    assert(n <= CHILD_OWN_FDS);
}

/* An older generation works, whose jobs may be for this one yet. */
static bool others_may_give_back(const struct super *s, int number)
{
    for (int i = 0; i < SUPER_GENERATIONS_MAX; i++) {
        const struct generation *g = &s->generations.all[i];
        if (g->number != number &&
            (g->state == GENERATION_SERVING || g->state == GENERATION_DRAINING))
            return true;
    }
    return false;
}

void moil_generation_start_child(struct super *s, struct child *child)
{
    const struct generation *g =
        child->role == ROLE_AGENT ? NULL : moil_generation_find(&s->generations, child->generation);
    note_own_fds(s);
    if (child->role == ROLE_WORKER)
        atomic_store(&moil_board_page(s->children.board, child->slot)->hold,
                     s->options->burst && others_may_give_back(s, child->generation));
    child->quiet = child->role == ROLE_WORKER && s->quiet;
    if (moil_child_start(&s->children, child, g ? g->snapshot_fd : -1, s->now_ms) == 0)
        return;
    char name[CHILD_NAME_LEN];
    int64_t delay_ms = moil_backoff_death(&child->backoff, 0);
    log_error("cannot start %s: %s; next try in %.1f s", moil_child_name(child, name),
              strerror(errno), (double)delay_ms / 1000);
    moil_child_set_state(child, CHILD_DOWN);
    child->due_ms = s->now_ms + delay_ms;
}

struct child *moil_generation_add_worker(struct super *s, const struct generation *generation)
{
    if (moil_generation_count(s, generation->number) >= SUPER_WORKERS_MAX)
        return NULL;
    struct child *child = &s->children.all[CHILD_WORKERS];
    while (child->state != CHILD_NONE) /* there are slots for all generations */
        child++;
    child->generation = generation->number;
    child->backoff = (struct backoff){0};
    moil_generation_start_child(s, child);
    return child;
}

/* --- check ------------------------------------------------------------------------------------ */

/* Not executable, where the kernel knows that: hardened ones refuse others. */
static int make_snapshot_file(void)
{
    static const char name[] = "moil-snapshot";
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | NOEXEC_SEAL);
    return fd < 0 && errno == EINVAL ? memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING) : fd;
}

static struct generation *begin(struct super *s)
{
    struct generation *g = moil_generation_in(&s->generations, GENERATION_NONE);
    assert(g);
    int fd = make_snapshot_file();
    if (fd < 0)
        return NULL;
    set_state(g, GENERATION_CHECKING);
    g->number = s->generations.last + 1;
    g->snapshot_fd = fd;
    return g;
}

bool moil_generation_check(struct super *s)
{
    struct child *check = &s->children.all[CHILD_CHECK];
    struct generation *g = begin(s);
    moil_buffer_clear(&s->generations.result);
    if (!g) {
        log_error("cannot make room for a snapshot of the tasks: %s", strerror(errno));
        return false;
    }
    *moil_board_plan(s->children.board) = s->options->plan;
    check->generation = g->number;
    moil_generation_start_child(s, check);
    if (check->state == CHILD_STARTING) {
        check->due_ms = s->now_ms + CHECK_MS;
        moil_orders_reload_begins(s, g->number);
        return true;
    }
    moil_child_set_state(check, CHILD_NONE); /* nobody waits for a second try */
    set_state(g, GENERATION_NONE);
    return false;
}

/* What the check child wrote for the agent: up to the first NUL. */
static struct slice report_of(const struct buffer *result)
{
    const char *end = result->len ? memchr(result->data, '\0', result->len) : NULL;
    return slice_of(result->data, end ? (size_t)(end - result->data) : result->len);
}

struct slice moil_generations_paths(const struct generations *g)
{
    size_t head = report_of(&g->result).n + 1; /* and the NUL */
    return head < g->result.len ? slice_of(g->result.data + head, g->result.len - head)
                                : slice_of("", 0);
}

static void serve(struct super *s, struct generation *g)
{
    set_state(g, GENERATION_SERVING);
    moil_board_publish(s->children.board, report_of(&s->generations.result), g->number);
    moil_log_set_level(g->plan.log_level);
}

void moil_generation_start(struct super *s)
{
    struct generation *g = moil_generation_in(&s->generations, GENERATION_CHECKING);
    bool is_first = !moil_generation_in(&s->generations, GENERATION_SERVING);
    assert(g);
    g->plan = *moil_board_plan(s->children.board);
    if (fcntl(g->snapshot_fd, F_ADD_SEALS,
              F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
        log_warning("the snapshot of the tasks could not be sealed: %s", strerror(errno));
    s->generations.last = g->number;
    if (is_first) {
        MOIL_CRASH_POINT("super.checked");
        serve(s, g);
        moil_generation_start_child(s, &s->children.all[CHILD_AGENT]);
        MOIL_CRASH_POINT("super.agent_forked");
    } else {
        MOIL_CRASH_POINT("super.reload_checked");
        set_state(g, GENERATION_STARTING);
        g->due_ms = s->now_ms + GENERATION_READY_MS;
    }
    for (int i = 0; i < g->plan.workers; i++)
        moil_generation_add_worker(s, g);
}

/* --- taking over ------------------------------------------------------------------------------ */

static void drain(struct super *s, struct generation *g)
{
    for (int i = CHILD_WORKERS; i < moil_children_count(&s->children); i++) {
        struct child *child = &s->children.all[i];
        if (child->generation == g->number && child->state != CHILD_STOPPING)
            moil_child_stop(child, SIGTERM, 0);
    }
    set_state(g, GENERATION_DRAINING);
}

static void take_over(struct super *s, struct generation *next)
{
    struct generation *before = moil_generation_in(&s->generations, GENERATION_SERVING);
    int workers = moil_generation_count(s, next->number), tasks = next->plan.tasks;
    char word[40];
    MOIL_CRASH_POINT("super.reload_ready");
    serve(s, next);
    snprintf(word, sizeof word, "generation %d\n", next->number);
    moil_children_say(&s->children, word);
    moil_tally_event(s->options->tally, TALLY_RELOADED);
    log_info("reload: generation %d serves (%d worker%s, %d task%s)", next->number, workers,
             workers == 1 ? "" : "s", tasks, tasks == 1 ? "" : "s");
    moil_orders_reloaded(s, next->number);
    MOIL_CRASH_POINT("super.reload_serves");
    drain(s, before);
    MOIL_CRASH_POINT("super.draining");
}

void moil_generation_give_up(struct super *s, const char *why)
{
    struct generations *g = &s->generations;
    struct generation *next = moil_generation_in(g, GENERATION_CHECKING);
    int serving = moil_generation_in(g, GENERATION_SERVING)->number;
    moil_tally_event(s->options->tally, TALLY_RELOAD_FAILED);
    if (next) {
        log_error("reload: %s; generation %d goes on", why, serving);
        const char *found = moil_board_plan(s->children.board)->why;
        moil_orders_reload_failed(s, next->number, found[0] ? found : why);
        set_state(next, GENERATION_NONE);
    } else if ((next = moil_generation_in(g, GENERATION_STARTING))) {
        log_error("reload: %s; generation %d is given up, generation %d goes on", why, next->number,
                  serving);
        moil_orders_reload_failed(s, next->number, why);
        drain(s, next);
    }
}

void moil_generation_want(struct super *s)
{
    s->generations.wanted = true;
}

/* --- conclusions ------------------------------------------------------------------------------ */

static bool is_empty(const struct super *s, const struct generation *g)
{
    for (int i = CHILD_WORKERS; i < moil_children_count(&s->children); i++) {
        if (s->children.all[i].state != CHILD_NONE && s->children.all[i].generation == g->number)
            return false;
    }
    return true;
}

static bool is_ready(const struct super *s, const struct generation *g)
{
    for (int i = CHILD_WORKERS; i < moil_children_count(&s->children); i++) {
        const struct child *child = &s->children.all[i];
        if (child->generation == g->number &&
            (child->state == CHILD_STARTING || child->state == CHILD_DOWN))
            return false;
    }
    return true;
}

/* Where nobody else can give jobs back any more, a burst may end. */
static void release(struct super *s)
{
    for (int i = CHILD_WORKERS; i < moil_children_count(&s->children); i++) {
        struct child *child = &s->children.all[i];
        struct page *page = moil_board_page(s->children.board, child->slot);
        if (child->state == CHILD_NONE || others_may_give_back(s, child->generation))
            continue;
        if (atomic_exchange(&page->hold, 0))
            moil_child_set_quiet(child, s->quiet); /* wakes it, to look at its page */
    }
}

static void settle_draining(struct super *s)
{
    for (int i = 0; i < SUPER_GENERATIONS_MAX; i++) {
        struct generation *g = &s->generations.all[i];
        if (g->state != GENERATION_DRAINING || !is_empty(s, g))
            continue;
        MOIL_CRASH_POINT("super.drained");
        log_info("generation %d has drained", g->number);
        set_state(g, GENERATION_NONE);
        release(s);
    }
}

static bool may_begin(struct super *s)
{
    struct generations *g = &s->generations;
    if (!g->wanted || s->now_ms < g->not_before_ms || moil_generation_in(g, GENERATION_CHECKING) ||
        moil_generation_in(g, GENERATION_STARTING))
        return false;
    bool full = count_draining(g) >= DRAINING_MAX;
    if (full && !g->waits)
        log_warning("reload: it waits, as %d generations drain already", DRAINING_MAX);
    g->waits = full;
    return !full;
}

void moil_generation_settle(struct super *s)
{
    struct generation *next = moil_generation_in(&s->generations, GENERATION_STARTING);
    if (next && is_ready(s, next))
        take_over(s, next);
    else if (next && s->now_ms >= next->due_ms)
        moil_generation_give_up(s, "the new workers were not ready within 60 s");
    settle_draining(s);
    if (may_begin(s)) {
        s->generations.wanted = !moil_generation_check(s);
        s->generations.not_before_ms = s->generations.wanted ? s->now_ms + RETRY_MS : 0;
    }
}

int64_t moil_generation_due_ms(struct generations *g)
{
    const struct generation *next = moil_generation_in(g, GENERATION_STARTING);
    return next ? next->due_ms : g->wanted ? g->not_before_ms : 0;
}
