/* The inside of vm/: the structs that its own files share. Nobody else includes this. */
#ifndef MOIL_VM_STATE_H
#define MOIL_VM_STATE_H

#include <lauxlib.h>
#include <lua.h>

#include "base/buffer.h"
#include "vm/call.h"
#include "vm/json.h"
#include "vm/ledger.h"
#include "vm/vm.h"

#define MOIL_ERROR_META "moil.error" /* in the registry: of error tables {code, message, where} */

/* Bytes that one job's arguments, or its result, may have. */
static inline size_t moil_host_payload(const struct vm_host *host)
{
    return host->max_payload ? host->max_payload : (size_t)1024 * 1024;
}

struct task_entry; /* task.c */

struct vm {
    lua_State *L; /* the main thread: for set-up and protected calls, never for jobs */
    struct ledger ledger;
    struct run *payer;     /* whose account is the current one; NULL: nobody's */
    struct run *victim;    /* moil_vm_victim */
    struct run *releasing; /* a victim, until what it held is collected */
    size_t memory_cap;     /* bytes of the whole state; 0: none */
    size_t refused;        /* bytes that a state without runs was refused just now; 0: none */
    bool starved;          /* … and once more, after a collection */
    struct vm_host host;
    struct task_entry *tasks;
    struct task_entry *controls; /* commands of moil.on_control */
    struct run *volatile on_cpu; /* the signal handler reads it (limits.c) */
    struct run *idle;            /* finished runs with their threads, for the next jobs */
    unsigned idle_count;
    char *lua_dir;                   /* NULL: embedded */
    char *config_json;               /* NULL: none */
    const struct snapshot *snapshot; /* NULL: everything comes from disk */
    bool alone;                      /* no jobs run in it (vm_options) */
    struct buffer *record;           /* the draft of a snapshot; NULL: nobody keeps one */
    char *loading;                   /* vm_options; NULL: nobody asks */
    bool warns;                      /* Lua's warnings are logged */
    char warning[200];               /* the one that is being put together */
    size_t warning_len;
    double time_limit_s, soft_time_limit_s; /* the worker's; 0: none */
    double max_memory_mb;                   /* likewise */
    const struct vm_native_task *natives;
    size_t native_count;
    enum vm_limits limits;
    int64_t load_end_us; /* monotonic; 0: nothing is loaded, or there is no limit */
    bool sealed;
    int conclude_ref;   /* lua/moil/job.lua: the second phase of a run */
    int end_native_ref; /* likewise: what a task in C does that ends badly */
    int self_meta_ref;  /* likewise: the metatable of `self` */
};

enum run_phase {
    RUN_CALL,     /* the task's function */
    RUN_CONCLUDE, /* retry policy and hooks */
    RUN_SHOW,     /* an error value's own functions: they cannot wait */
    RUN_OVER,
};

enum run_exit {
    EXIT_NONE,
    EXIT_WAIT,  /* a host's answer is awaited: the yield passes through all coroutines of the job */
    EXIT_STOP,  /* self:retry, reject or ignore: never resumed */
    EXIT_SLICE, /* its turn is over: goes on where it was */
    EXIT_LIMIT, /* the hard time limit: never resumed */
    EXIT_COLLECT, /* over its memory limit: goes on where it was if garbage was all */
    EXIT_MEMORY,  /* out of memory: never resumed */
};

struct run {
    struct vm *vm;
    struct run *next; /* in vm->idle */
    struct task *task;
    struct job job;
    struct slice worker;
    void *owner;
    lua_State *co;
    int co_ref;
    int self_ref; /* LUA_NOREF until somebody asks for self */
    enum run_phase phase;
    enum run_exit exit;
    bool stopped; /* a stop was asked for: `outcome` holds, whatever the function did afterwards */
    bool exhausted;              /* a failure that the policy may not retry */
    unsigned barriers;           /* C calls on the way out that no wait can pass */
    lua_State *volatile running; /* the thread that runs now; the signal handler reads it */
    int64_t slice_us;            /* when its turn began; monotonic, as the limits */
    int64_t soft_us, hard_us;    /* 0: none (any more) */
    bool timed_out;
    bool overran;     /* the hard limit was raised, where it could not yield */
    uint32_t account; /* its place in the ledger */
    size_t memory_limit, memory_check, memory_ceiling; /* what it may hold; what it may hold before
                                                          it is collected; what is refused */
    volatile size_t refused;                           /* bytes that it was refused; 0: none */
    volatile bool pressed; /* it is to end, or to be collected, as soon as it can */
    volatile bool revoked; /* while it was on the CPU */
    bool starved;          /* it ran out of memory */
    bool largest;          /* … as the largest of a state that did */
    size_t held;           /* … with so many bytes */
    unsigned cycles;       /* of the collector that it waits for */
    bool spoiled;          /* a hook raised in its thread, which can have no hooks any more */
    bool has_result;       /* `value` is the result already, as JSON text */
    bool condemned;        /* the function is not to run: `outcome` and `value` hold why */
    lua_State **nest;      /* the job's own coroutines that are being resumed, the innermost last */
    size_t nest_len, nest_cap;
    struct run_outcome outcome;
    struct buffer value; /* of the outcome */
    struct vm_call call;
};

/* The run of a thread of a worker's state: kept while the thread is active. NULL elsewhere. */
static inline struct run *moil_thread_run(lua_State *L)
{
    return *(struct run **)lua_getextraspace(L);
}

static inline void moil_thread_set_run(lua_State *L, struct run *run)
{
    *(struct run **)lua_getextraspace(L) = run;
}

/* Resets a dead or suspended thread: its <close> variables run. LUA_OK, or the error is on its top.
 */
static inline int moil_thread_close(lua_State *co, lua_State *from)
{
#if LUA_VERSION_RELEASE_NUM >= 50406
    return lua_closethread(co, from);
#else
    (void)from;
    return lua_resetthread(co);
#endif
}

/* --- bind.c ----------------------------------------------------------------------------------- */

struct bind {
    struct vm_host host;
    struct vm *vm;         /* NULL in a plain program */
    struct vm_call call;   /* of a plain program */
    struct buffer scratch; /* of one function at a time; here, so that a Lua error cannot leak it */
    char library[200];     /* how the source names of moil's own Lua files begin; "": not told */
};

static inline struct bind *moil_bind_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* Tells the functions in the table on the top that they belong to a vm. [-0, +0, m] */
void moil_bind_attach(lua_State *L, struct vm *vm);

/* The run that calls; NULL in a plain program and while files are loaded. */
struct run *moil_bind_run(lua_State *L, const struct bind *bind);

/* Raises {code, message, where}. */
int moil_bind_raise(lua_State *L, const char *code, const char *message);

/* The call to fill. Raises where the caller could not wait for an answer. [-0, +0, v] */
struct vm_call *moil_bind_begin(lua_State *L, struct bind *bind);

/* Goes on with k, of a function that asks the host, when the answer is there; k raises where the
 * call has failed, as moil_bind_answers does, which returns the answers as they are. */
int moil_bind_finish(lua_State *L, struct vm_call *call, enum vm_answer answer, lua_KFunction k);
int moil_bind_answers(lua_State *L, int status, lua_KContext ctx);

/* Appends the value at idx, or raises what is wrong with it. [-0, +0, v] */
void moil_bind_encode(lua_State *L, int idx, struct json_sink *to);

/* Pushes the text at idx as one line of the log may have it: cut, with a mark, where it is long.
 * [-0, +1, m] */
struct slice moil_bind_push_message(lua_State *L, int idx);

/* Pushes "file:line" of the nearest caller outside of moil's own library, or "?". [-0, +1, m] */
void moil_bind_push_where(lua_State *L, const struct bind *bind);

/* Functions of the other files; all take the bind as first upvalue. */
extern const luaL_Reg moil_bind_host_functions[];    /* bind_host.c: what asks the host */
extern const luaL_Reg moil_bind_beat_functions[];    /* bind_beat.c: what asks for beat entries */
extern const luaL_Reg moil_bind_control_functions[]; /* bind_control.c: commands for nodes */
extern const luaL_Reg moil_bind_graph_functions[];   /* bind_graph.c: workflows */
extern const luaL_Reg moil_bind_job_functions[]; /* bind_job.c: what belongs to the running job */
extern const luaL_Reg moil_bind_native_functions[]; /* bind_native.c: tasks in C */
extern const luaL_Reg moil_bind_plain_functions[];  /* bind_plain.c: neither */
extern const luaL_Reg moil_task_functions[];        /* task.c: in a vm only */

/* Fills one submission from the table at idx (bind_enqueue.c). */
void moil_submission_read(lua_State *L, int idx, const struct bind *bind, struct vm_call *call,
                          struct submission *sub);
void moil_submission_settle(const struct vm_call *call, struct submission *sub);

/* The task in C that the function at idx calls; NULL: it is another one (bind_native.c). */
const void *moil_native_of(lua_State *L, int idx);

/* The body of a C function: the work of a task in C for the run's job, with its own arguments. What
 * comes of it is in the run. */
int moil_native_run(lua_State *L, struct run *run, const void *task);

/* --- others ----------------------------------------------------------------------------------- */

void moil_task_free_all(struct vm *vm);

/* rails.c: print, os.exit, debug.sethook; seal makes undeclared globals an error. [-0, +0, m] */
void moil_rails_open(lua_State *L);
void moil_rails_seal(lua_State *L);

/* load.c: text-only loading, one cache by real path, moil's own library. [-0, +0, m] */
void moil_load_open(lua_State *L, struct vm *vm);
int moil_load_path(lua_State *L);     /* a C function: path -> nothing */
int moil_load_snapshot(lua_State *L); /* likewise: all that is in the vm's snapshot */

/* coroutine.c: replaces the table `coroutine`. [-0, +0, m] */
void moil_coroutine_open(lua_State *L);

/* failure.c: the error value on the top of the run's thread as JSON text {code, message, traceback}
 * in its value; pops it. The thread is to be closed afterwards. */
void moil_failure_encode(struct run *run);
void moil_failure_encode_text(const char *code, const char *message, struct buffer *out);

/* self.c: pushes self of the run, made at the first time. [-0, +1, m, e] */
void moil_self_push(lua_State *L, struct run *run);

/* pool.c */
void moil_run_free_idle(struct vm *vm);

/* Ends all coroutines of the job, the innermost first, so that their <close> variables run in the
 * order that they would. They have 100 ms, whatever is left of the limits. */
void moil_run_close_threads(struct run *run);

#endif
