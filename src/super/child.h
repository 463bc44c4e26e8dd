/* The children of the supervisor: who they are, how one is forked, told things and buried.
 *
 * Called by super.c and its parts (and fork by embedded.c). It decides nothing: when a child is
 * started, stopped or given up is theirs. Knows no queue and no Redis.
 *
 * Words: one line to the agent for each worker that died (not for one that left with status 0), for
 * each generation that serves from now on, and for each order (order.h), in one write of less than
 * PIPE_BUF bytes:
 *
 *     dead SLOT INCARNATION signal|exit|limit|stop NUMBER DELIVERIES ID\n
 *     generation NUMBER\n
 *     answer REQUEST ok|refused TEXT\n
 *
 * stop: the supervisor killed it, as it did not leave in time: no job is to blame.
 * limit: the supervisor killed it, as the job on its CPU was long past its hard time limit. Should
 * that job have ended before the signal came, the word is stop: the next one is not to blame.
 * ID is the job on the CPU, or "-" between jobs; DELIVERIES how many its task allows, 0: not said.
 * Words stay in the pipe while there is no agent. A worker that died before it had an incarnation
 * has no word: it held nothing. Should the pipe be full, the word is lost (and logged): the
 * incarnation's lease tells later. */
#ifndef MOIL_SUPER_CHILD_H
#define MOIL_SUPER_CHILD_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "super/backoff.h"
#include "super/super.h"

enum child_state {
    CHILD_NONE,     /* not there, and not wanted */
    CHILD_STARTING, /* forked; its ready byte is awaited */
    CHILD_READY,    /* serves */
    CHILD_STOPPING, /* was told to leave; killed at due_ms */
    CHILD_DOWN,     /* dead; started again at due_ms */
    CHILD_STATES
};

struct child {
    enum role role;
    enum child_state state;
    int slot;
    int generation;     /* a worker's or the check's: number of its generation */
    pid_t pid;          /* 0: none */
    int ready_fd;       /* read end; -1: none */
    int64_t started_ms; /* monotonic, like all times here */
    int64_t due_ms;     /* 0: nothing is due */
    bool listens;       /* its ready byte came: it has handlers for the signals that it is sent */
    bool quiet;         /* it was started so, or told to be */
    bool cold;          /* was told to give its jobs back */
    bool killed;        /* by moil_child_kill */
    bool overdue;       /* killed: a worker for its job's time limit, the agent for its silence */
    bool retired;       /* it left to be replaced */
    char *late_job;     /* owned: the job that a worker was killed for; NULL: none */
    struct backoff backoff;
};

enum {
    CHILD_COLD_MS = 5000,    /* for giving jobs back */
    CHILD_OVERDUE_MS = 1000, /* past the hard limit: the worker's own tier has failed */
    CHILD_CHECK = 0,         /* places in children.all */
    CHILD_AGENT = 1,
    CHILD_WORKERS = 2,
    CHILDREN_MAX = CHILD_WORKERS + SUPER_SLOTS_MAX,
    CHILD_NAME_LEN = 24,
    CHILD_OWN_FDS = 12, /* but for those of some children: words, snapshot, agent_fd */
};

struct children {
    const struct super_options *options;
    struct board *board;
    struct pulse *pulse; /* the agent's; borrowed */
    int word_fds[2];     /* read end, write end: one pipe for all agents that follow each other */
    int order_fds[2];    /* likewise, the other way round (order.h) */
    int own_fds[CHILD_OWN_FDS]; /* the supervisor's, closed in each child; -1: none */
    struct child all[CHILDREN_MAX];
};

/* 0, MOIL_ESYS or MOIL_ENOMEM. Close in any case. */
int moil_children_open(struct children *c, const struct super_options *options);
void moil_children_close(struct children *c);

/* How many places of `all` were used so far, and the next one more or less. */
int moil_children_count(const struct children *c);
int moil_children_slots(const struct children *c);

/* The child with this pid, or NULL. */
struct child *moil_children_find(struct children *c, pid_t pid);

/* "check", "agent", "worker 1" (slot 0). */
const char *moil_child_name(const struct child *child, char out[CHILD_NAME_LEN]);

/* The one place where a state changes; asserts that the move is allowed. */
void moil_child_set_state(struct child *child, enum child_state state);

/* Forks it: CHILD_NONE or CHILD_DOWN to CHILD_STARTING. snapshot_fd (-1: none) is borrowed. 0; or
 * MOIL_ESYS, and nothing changed. */
int moil_child_start(struct children *c, struct child *child, int snapshot_fd, int64_t now_ms);

/* It wrote its ready byte, or its pipe is done: closes the pipe. */
void moil_child_close_ready(struct child *child);

/* Tells it to leave (a child that is not ready gets SIGTERM, whatever the signal) and sets when it
 * is killed; 0: never. A child that is down is given up. */
void moil_child_stop(struct child *child, int sig, int64_t kill_at_ms);

/* Passes a signal on to a child that is, or was, ready; the others have no handler yet. */
void moil_child_forward(const struct child *child, int sig);

/* SIGTSTP or SIGCONT. */
void moil_child_set_quiet(struct child *child, bool quiet);

/* SIGKILL, for it and for what it started in its process group. */
void moil_child_kill(struct child *child);

/* A ready worker whose job on the CPU is CHILD_OVERDUE_MS past its hard limit is killed for it. */
void moil_child_kill_overdue(struct children *c, struct child *child, int64_t now_ms);

/* A worker that has not loaded its tasks within options->load_ms is killed. That it waits for Redis
 * then may take as long as it takes. */
void moil_child_kill_unloaded(struct children *c, struct child *child, int64_t now_ms);

/* A worker died (wait status): its word goes to the agent. */
void moil_child_tell_death(struct children *c, const struct child *child, int wait_status);

/* One line to the agent; a word that does not fit is lost, and logged. */
void moil_children_say(struct children *c, const char *line);

/* It was reaped: forgets its pid and gives its slot a fresh page. */
void moil_child_bury(struct children *c, struct child *child);

/* A fork for the supervisor's processes: a process group of its own, signals at their defaults and
 * unblocked, stdin /dev/null, and death_signal from the kernel when the supervisor dies. As
 * fork(2). */
pid_t moil_child_fork(int death_signal);

#endif
