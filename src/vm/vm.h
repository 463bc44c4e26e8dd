/* The Lua side of a worker: one lua_State with moil's library and the user's tasks, and the runs in
 * it.
 *
 * Called by worker/ (and by the check child). Knows no queue, no Redis, no loop: what it needs of
 * them goes through vm/host.h, and what becomes of a job is a run_outcome that worker/ turns into a
 * verdict. */
#ifndef MOIL_VM_VM_H
#define MOIL_VM_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/job.h"
#include "vm/host.h"

struct vm;

struct snapshot;

enum { MOIL_LOADING_MAX = 256 }; /* bytes that are shown of a path */

/* A task whose function is C: what the host's `native` runs. */
struct vm_native_task {
    const char *name;
    const char *options; /* JSON object of task options; NULL: none */
    const void *task;    /* the host's own */
};

/* How a job on the CPU is made to notice its slice and limits. */
enum vm_limits {
    VM_LIMITS_TICK, /* somebody calls moil_vm_tick: it costs nothing until then */
    VM_LIMITS_HOOK, /* it looks by itself, every few hundred instructions of the VM */
};

struct vm_options {
    const char *lua_dir;             /* where moil's own Lua library is; NULL: the embedded copy */
    struct slice config_json;        /* plain data of moil.lua that Lua needs ({"routes": …,
                                        "task_defaults": …}), or empty */
    const struct snapshot *snapshot; /* borrowed for the vm's life: what is in it is loaded from
                                        there, not from disk; NULL: none */
    struct buffer *record; /* likewise: gets all that is loaded, as a draft (vm/snapshot.h); or
                              NULL */
    char *loading;         /* likewise: MOIL_LOADING_MAX bytes that always hold the path of the file
                              that is being loaded, "" for none; or NULL */
    bool alone;            /* no jobs run in it: its library is that of a plain Lua program, whose
                              host answers at once, and there are no rails */
    double time_limit_s, soft_time_limit_s; /* of jobs whose task says nothing else, which the
                                               tasks' limits may not contradict; 0: none */
    double max_memory_mb;                   /* likewise: a job may hold twice that; 0: no bound */
    const struct vm_native_task *natives;   /* borrowed for the vm's life */
    size_t native_count;
    enum vm_limits limits;
};

/* NULL with one line in errstr, and ENOMEM or EINVAL in errno. The host is copied. */
struct vm *moil_vm_new(const struct vm_options *options, const struct vm_host *host, char *errstr,
                       size_t errlen);
void moil_vm_free(struct vm *vm);

/* Loads a task file, or every *.lua of a folder and its sub-folders in the order of their names. 0,
 * or MOIL_EINVAL with "file:line: what is wrong" in errstr, or MOIL_ENOMEM likewise. Text only:
 * bytecode is refused. */
int moil_vm_load(struct vm *vm, const char *path, char *errstr, size_t errlen);

/* Loads what the paths behind the vm's snapshot were, in its order, whatever is on disk by now. As
 * moil_vm_load. */
int moil_vm_load_snapshot(struct vm *vm, char *errstr, size_t errlen);

/* After the last load: registers the tasks in C that no file has registered. As moil_vm_load. */
int moil_vm_add_natives(struct vm *vm, char *errstr, size_t errlen);

/* Calls the function that the module gives with the text; what it returns, a string, is appended.
 * As moil_vm_load. */
int moil_vm_call(struct vm *vm, const char *module, struct slice text, struct buffer *out,
                 char *errstr, size_t errlen);

/* After that: seals the globals, so that a job that writes an undeclared one fails with
 * its line. */
void moil_vm_seal(struct vm *vm);

/* Bytes that the state may hold, with malloc's own; past it the run with the most is the
 * victim. 0: none. */
void moil_vm_limit_memory(struct vm *vm, size_t bytes);

/* The run that has to end, by moil_run_exceed, so that the others can go on; NULL: none. To be
 * asked after each moil_run_resume; told once. */
struct run *moil_vm_victim(struct vm *vm);

/* Bytes that the state holds now. */
size_t moil_vm_memory(const struct vm *vm);

/* --- tasks ------------------------------------------------------------------------------------ */

struct task {
    struct slice name;
    struct slice queue; /* where its jobs go by default (after routes) */
    const char *where;  /* "file:line" of its registration */
    bool bind;          /* the function gets self first */
    bool blocking;      /* runs alone in its worker */
    bool ignore_result;
    bool has_before;     /* before_start */
    bool has_success;    /* on_success or after_return: a good end runs Lua once more */
    bool has_failure;    /* retry policy, on_failure, on_retry or after_return: a bad one does */
    double time_limit_s; /* 0: not said; < 0: none */
    double soft_time_limit_s; /* likewise */
    /* Likewise, as they were set at run time in the place of these: the caller's to write. */
    double set_time_limit_s, set_soft_time_limit_s;
    double result_ttl_s;  /* < 0: not said; INFINITY: for ever */
    int64_t memory_limit; /* bytes; 0: not said; < 0: none */
    int max_deliveries;   /* 0: not said */
    double average_s;   /* worker/ keeps the moving average of its wall time here; 0: no history */
    const void *native; /* its function is that task in C; NULL: it is Lua's */
    uint32_t tally_place; /* likewise: where worker/ counts its runs; 0: among others */
    int fn_ref;           /* vm's own */
    int table_ref;        /* vm's own */
};

/* NULL when nobody registered it. Borrowed from the vm; `average_s` is the caller's to write. */
struct task *moil_vm_task(struct vm *vm, struct slice name);

/* Calls fn for each task but those of moil itself (moil.…), by name; stops when it returns false.
 */
void moil_vm_each_task(struct vm *vm, bool (*fn)(void *data, struct task *task), void *data);

/* A command of moil.on_control, as a task that no job has; NULL when nobody registered it. */
struct task *moil_vm_control(struct vm *vm, struct slice name);

/* --- runs: one job's coroutine ---------------------------------------------------------------- */

enum outcome {
    OUTCOME_SUCCESS, /* value: JSON text of the result */
    OUTCOME_FAILURE, /* value: JSON text of {code, message, traceback} */
    OUTCOME_RETRY,   /* delay_ms, and value: the error so far */
    OUTCOME_REJECT,  /* value: an error object with the reason */
    OUTCOME_IGNORE,  /* nothing is kept */
    OUTCOME_REPLACE, /* value: the token of the workflow that takes its place */
    OUTCOME_REVOKED, /* moil_run_terminate ended it */
};

struct run_outcome {
    enum outcome kind;
    struct slice value; /* borrowed from the run until moil_run_free */
    int64_t delay_ms;
};

enum run_status {
    RUN_DONE,    /* moil_run_outcome tells */
    RUN_WAITING, /* for an answer of the host */
    RUN_SLICED,  /* its turn is over: resume it when the others had theirs */
};

/* Makes a job ready to run. The task and the job's bytes are borrowed until moil_run_free; `worker`
 * is shown as self.worker; `owner` comes back from moil_run_owner. NULL when out of memory. */
struct run *moil_run_new(struct vm *vm, struct task *task, const struct job *job,
                         struct slice worker, void *owner);

/* Runs until the job ends or waits. The first call starts it, later ones go on after the host's
 * answer. */
enum run_status moil_run_resume(struct run *run);

/* Makes the first moil_run_resume run retry policy and hooks alone, as if the function had failed
 * with this error (JSON text): its process was killed. */
void moil_run_condemn(struct run *run, struct slice error);

/* Wall-clock limits from now on, in seconds; 0 or INFINITY: none. Soft: SoftTimeLimitExceeded is
 * raised once. Hard: the job ends with TimeLimitExceeded, and gets 10 s for its policy and hooks.
 */
void moil_run_limit(struct run *run, double soft_s, double hard_s);

/* Bytes that it may hold, from before its first resume on; 0: no limit. What a run allocates counts
 * until it is freed, with what malloc adds; past the limit garbage is collected, and when that does
 * not help the job ends with MemoryLimitExceeded. */
void moil_run_limit_memory(struct run *run, size_t bytes);

/* The limits as moments of the monotonic clock, 0: none. next: of the two the earlier. */
int64_t moil_run_hard_deadline(const struct run *run);
int64_t moil_run_next_deadline(const struct run *run);

/* A run that waits has reached its next deadline; its host has given up what it waited for. As
 * moil_run_resume. */
enum run_status moil_run_expire(struct run *run);

/* Ends a run that waits or was sliced; its host has given up what it waited for. after_return runs.
 * As moil_run_resume. */
enum run_status moil_run_terminate(struct run *run);

/* Ends a run that waits or was sliced with MemoryLimitExceeded; its host has given up what it
 * waited for. As moil_run_resume. */
enum run_status moil_run_exceed(struct run *run);

/* Called from a timer signal's handler, every few milliseconds while jobs run: makes a job that is
 * over its slice or a limit notice it. Async-signal-safe. */
void moil_vm_tick(struct vm *vm);

/* Likewise, before moil_vm_tick: the job on the CPU is revoked, though it may never yield. */
void moil_vm_revoke(struct vm *vm);

const struct run_outcome *moil_run_outcome(const struct run *run);
void *moil_run_owner(const struct run *run);

/* Ends the coroutine (its <close> variables run, when it has not ended by itself) and gives its
 * parts back. */
void moil_run_free(struct run *run);

#endif
