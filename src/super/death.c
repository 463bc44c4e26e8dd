/* death.c: see death.h. */
#include "super/death.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/crash_point.h"
#include "base/error.h"
#include "base/log.h"
#include "super/board.h"

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
    moil_tally_event(s->options->tally,
                     child->role == ROLE_AGENT ? TALLY_AGENT_CRASHED : TALLY_WORKER_CRASHED);
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

/* Before everybody was ready for the first time. Later the node serves: what keeps one worker from
 * loading must not take the others along, and Redis is waited for. */
static bool is_final(const struct super *s, int wait_status)
{
    if (!WIFEXITED(wait_status) || s->phase != PHASE_STARTING)
        return false;
    int status = WEXITSTATUS(wait_status);
    return status == STATUS_USAGE || status == STATUS_NO_REDIS;
}

static void unwanted_died(struct child *child, pid_t pid, int wait_status, bool asked)
{
    char name[CHILD_NAME_LEN], how[96];
    bool by_our_signal =
        child->killed || (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGTERM);
    if (!left_cleanly(wait_status) && !(asked && by_our_signal))
        log_warning("%s (pid %d) %s", moil_child_name(child, name), (int)pid,
                    describe_death(wait_status, how, sizeof how));
    moil_child_set_state(child, CHILD_NONE);
}

/* Of a generation that is to take over: then it does not. */
static void starting_died(struct super *s, struct child *child, pid_t pid, int wait_status)
{
    char name[CHILD_NAME_LEN], how[96], why[192];
    snprintf(why, sizeof why, "%s (pid %d) %s before it was ready", moil_child_name(child, name),
             (int)pid, describe_death(wait_status, how, sizeof how));
    moil_tally_event(s->options->tally, TALLY_WORKER_CRASHED);
    moil_child_set_state(child, CHILD_NONE);
    moil_generation_give_up(s, why);
}

static bool is_of_reload(struct super *s, const struct child *child)
{
    const struct generation *next = moil_generation_in(&s->generations, GENERATION_STARTING);
    return next && child->role == ROLE_WORKER && child->generation == next->number;
}

static void child_died(struct super *s, struct child *child, pid_t pid, int wait_status)
{
    bool asked = child->state == CHILD_STOPPING, clean = left_cleanly(wait_status);
    if (asked || !moil_phase_wants(s, child->role)) {
        unwanted_died(child, pid, wait_status, asked);
    } else if (child->state == CHILD_STARTING && is_of_reload(s, child)) {
        starting_died(s, child, pid, wait_status);
    } else if (is_final(s, wait_status)) {
        moil_child_set_state(child, CHILD_NONE);
        moil_phase_fail(s, WEXITSTATUS(wait_status));
    } else if (clean && s->options->burst && child->role == ROLE_WORKER && !child->retired) {
        moil_child_set_state(child, CHILD_NONE);
    } else if (clean && child->state == CHILD_READY && child->role == ROLE_WORKER) {
        char name[CHILD_NAME_LEN];
        moil_tally_event(s->options->tally, TALLY_WORKER_RECYCLED);
        log_info("%s (pid %d) left; another takes its place", moil_child_name(child, name),
                 (int)pid);
        moil_child_set_state(child, CHILD_DOWN);
        child->due_ms = s->now_ms;
    } else {
        restart_later(s, child, pid, wait_status);
    }
}

static void took_too_long(struct plan *plan)
{
    snprintf(plan->why, sizeof plan->why,
             "loading took more than 1 s: %.255s waits or loops while it is loaded",
             plan->loading[0] ? plan->loading : "a task file");
    log_error("%s", plan->why);
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
    bool fits = s->generations.result.len <= SUPER_RESULT_MAX;
    bool passed = left_cleanly(wait_status) && fits;
    moil_watch_update(&s->watch, moil_generations_paths(&s->generations), passed);
    if (passed) {
        moil_phase_event(s, EVENT_CHECKED);
        return;
    }
    if (!fits)
        log_error("the tasks and entries are too many: what the check found is over 16 MB");
    else if (too_long)
        took_too_long(moil_board_plan(s->children.board));
    else if (WIFSIGNALED(wait_status))
        log_error("check (pid %d) %s", (int)pid, describe_death(wait_status, how, sizeof how));
    if (moil_generation_in(&s->generations, GENERATION_SERVING))
        moil_generation_give_up(s, "the check has failed");
    else
        moil_phase_fail(s,
                        WIFEXITED(wait_status) && fits ? WEXITSTATUS(wait_status) : STATUS_CHECK);
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

static void bury(struct super *s, pid_t pid, int wait_status)
{
    if (pid == s->embedded.pid) {
        server_died(s, wait_status);
        return;
    }
    struct child *child = moil_children_find(&s->children, pid);
    if (!child) /* of the host program, or an orphan that came to us as process 1 */
        return;
    moil_super_read(s, child); /* what it wrote last */
    MOIL_CRASH_POINT_IF(!left_cleanly(wait_status), "super.death");
    if (!left_cleanly(wait_status))
        moil_child_tell_death(&s->children, child, wait_status);
    MOIL_CRASH_POINT_IF(!left_cleanly(wait_status), "super.death_told");
    moil_child_bury(&s->children, child);
    if (child->role == ROLE_WORKER && s->phase == PHASE_RUNNING)
        moil_children_say(&s->children, "report\n"); /* it has one worker less */
    if (child->role == ROLE_CHECK)
        check_died(s, child, pid, wait_status);
    else
        child_died(s, child, pid, wait_status);
}

void moil_death_reap(struct super *s)
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
