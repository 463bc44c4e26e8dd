/* moil: a Lua-scriptable distributed task queue. The public header, for C and C++.
 *
 *   client   open a connection, enqueue jobs, wait for results, inspect and steer queues
 *   runtime  be a `moil worker`: supervisor, worker processes, agent
 *
 * Strings are UTF-8 and NUL-terminated unless a length goes with them. Times are seconds (double)
 * unless a name says otherwise. Functions that can fail return 0 or a negative MOIL_E… code and
 * leave their out-parameters alone on failure; moil_client_error has the sentence for people. What
 * a function allocates for the caller is freed by moil_free or by the free function named at it. A
 * client belongs to one thread; clients share nothing. No signal is touched, nothing is printed,
 * and the process is never exited, except by moil_runtime_run as documented there.
 */
#ifndef MOIL_H
#define MOIL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MOIL_API __attribute__((visibility("default")))
#else
#define MOIL_API
#endif

#define MOIL_VERSION "0.1.0"

/* Of the shared library's name, libmoil.so.0: it grows when a program that was compiled with an
 * older header would not work any more. */
#define MOIL_ABI_VERSION 0

/* "0.1.0" and the ABI version of the library that is linked. Any thread, at any time. */
MOIL_API const char *moil_version(void);
MOIL_API int moil_abi_version(void);

/* --- errors ----------------------------------------------------------------------------------- */

enum moil_status {
    MOIL_STATUS_OK = 0,
    MOIL_STATUS_NOMEM = -1,       /* out of memory in this process */
    MOIL_STATUS_INVALID = -2,     /* a wrong argument: moil_client_error says which */
    MOIL_STATUS_TOO_LARGE = -3,   /* over a documented bound */
    MOIL_STATUS_UNAVAILABLE = -4, /* no Redis within the deadline */
    MOIL_STATUS_REPLY = -5,       /* Redis refused, for a reason of its own */
    MOIL_STATUS_TIMEOUT = -6,     /* the job did not end within the time given */
    MOIL_STATUS_UNKNOWN = -7,     /* no job under that id: never enqueued, or its result expired */
    MOIL_STATUS_BAD_RECORD = -8,  /* a record that is damaged or not moil's */
    MOIL_STATUS_SYSTEM = -15,     /* a system call failed (descriptors, processes): errno tells */
    MOIL_STATUS_STATE = -16, /* not possible in the present state (deleting a running job, …) */
    MOIL_STATUS_CANCELLED = -17 /* of a request: the program has cancelled it, or closed its client
                                 */
};

/* A sentence for a code, and the name that users see ("UnknownJob"); never NULL, nothing to free.
 * Codes of which nothing is written have a text too. Any thread, at any time. */
MOIL_API const char *moil_status_text(int status);
MOIL_API const char *moil_status_name(int status);

/* Frees what this library allocated for the caller; NULL is fine. Any thread, at any time. */
MOIL_API void moil_free(void *p);

/* --- hooks ------------------------------------------------------------------------------------ */

/* These belong to the process: they are set before anything else of moil is called, by one thread,
 * and stay. With several threads that use moil they are called by any of them, by two at once too.
 * A hook may not call moil. */

enum moil_log_level { MOIL_LOG_DEBUG, MOIL_LOG_INFO, MOIL_LOG_WARNING, MOIL_LOG_ERROR };

/* One line of the log, without its newline; `len` bytes and a NUL, borrowed for the call. */
typedef void moil_log_fn(void *data, enum moil_log_level level, const char *line, size_t len);

/* Hands all lines to fn, in place of stderr; NULL: to stderr again. A client writes none. */
MOIL_API void moil_set_log(moil_log_fn *fn, void *data);

/* Lines below that level are not made; MOIL_LOG_INFO where nothing is said. Any thread, any time.
 */
MOIL_API void moil_set_log_level(enum moil_log_level level);

/* Like realloc, and with size 0 like free (its answer is not looked at then). NULL: out of memory,
 * p is as it was; the call that needed it fails with MOIL_STATUS_NOMEM, or the Lua job with
 * MemoryLimitExceeded. */
typedef void *moil_realloc_fn(void *data, void *p, size_t size);

/* All memory that moil allocates, Lua's too; fn NULL: libc's. Its libraries hiredis, jansson and
 * libev have hooks of their own, which are the program's to set. */
MOIL_API void moil_set_allocator(moil_realloc_fn *fn, void *data);

/* Microseconds: since the epoch; and of a clock that never steps back. NULL: the system's. */
typedef struct moil_clock {
    int64_t (*wall_us)(void *data);
    int64_t (*monotonic_us)(void *data);
    void *data;
} moil_clock;

/* What time it is for moil: stamps on jobs and log lines, and its own deadlines of replies from
 * Redis and of jobs. Copied; NULL: the system's. Timers of an event loop go by libev's clock, and
 * what is due by Redis's. */
MOIL_API void moil_set_clock(const moil_clock *clock);

/* --- client ----------------------------------------------------------------------------------- */

typedef struct moil_client moil_client;

typedef struct moil_client_options {
    /* redis://…, unix:///…, embedded:DIR; NULL: MOIL_REDIS, .moil/redis.sock, or localhost */
    const char *url;
    const char *ns;     /* the namespace; NULL: "moil" */
    double deadline;    /* of each call, connecting included; 0: 5 s */
    size_t max_payload; /* bytes of arguments of one job; 0: 1 MB */
} moil_client_options;

/* Makes a client. Connects at the first call, and again whenever the connection was lost.
 * MOIL_STATUS_INVALID for a bad URL or namespace, with the sentence in errstr (may be NULL). Close
 * with moil_client_close. */
MOIL_API int moil_client_open(moil_client **out, const moil_client_options *options, char *errstr,
                              size_t errlen);
MOIL_API void moil_client_close(moil_client *client); /* NULL is fine */

/* The last failure of this client in one line; "" when there was none. Valid until its next call.
 */
MOIL_API const char *moil_client_error(const moil_client *client);

/* What becomes of a job when one that it depends on fails, is revoked or deleted. */
enum moil_on_failure {
    MOIL_ON_FAILURE_FAIL = 0, /* it ends as FAILURE, with the code DependencyFailed */
    MOIL_ON_FAILURE_REVOKE,   /* it ends as REVOKED, likewise */
    MOIL_ON_FAILURE_ALLOW     /* it runs all the same */
};

/* One job. Zeroed fields mean their defaults. Everything is borrowed for the call. */
typedef struct moil_job {
    const char *task;   /* required */
    const char *args;   /* JSON array of positional arguments; NULL: [] */
    const char *kwargs; /* JSON object; NULL: none */
    const char *queue;  /* NULL: "default" */
    const char *id; /* NULL: a new UUID; with an id that exists the existing job is meant (created =
                       0) */
    int has_priority;    /* 0: priority is 5 */
    int priority;        /* 0-9, higher first */
    int at_front;        /* not 0: in front of its priority level */
    double countdown;    /* seconds from now; 0: at once */
    double eta;          /* seconds since the epoch; 0: none. Not together with countdown */
    const char *options; /* JSON object with the rarer options: expires (epoch seconds), result_ttl,
                            ignore_result, time_limit, soft_time_limit, headers, …; NULL: none
                            (docs/protocol.md, "extra") */
    /* Ids of jobs that must have ended before, NULL-terminated, at most 1,000: it is DEFERRED until
     * then, and a countdown begins there; NULL: none. */
    const char *const *depends_on;
    enum moil_on_failure on_failure; /* of one of those */
} moil_job;

typedef struct moil_enqueued {
    char id[201];
    int created; /* 0: a job with this id was there already, and nothing was enqueued */
} moil_enqueued;

/* Enqueues `count` jobs, in order within each queue and priority, a few round trips per thousand;
 * those that depend on others one by one behind them. MOIL_STATUS_UNKNOWN: nobody knows such a job,
 * and the one that was to wait for it was not enqueued.
 * 0: Redis acknowledged all of them. After MOIL_STATUS_UNAVAILABLE some may be in; `out` (count
 * entries, may be NULL) holds the ids, and the same call with the same ids is safe. */
MOIL_API int moil_enqueue(moil_client *client, const moil_job *jobs, size_t count,
                          moil_enqueued *out);

typedef struct moil_result {
    char state[201]; /* "SUCCESS", "FAILURE", "REVOKED" */
    char *value;     /* JSON text: the result, or {"code","message","traceback"}; moil_free */
    size_t value_len;
} moil_result;

/* Called for each change of a custom state while waiting; `meta` is JSON text. Return 0 to go on,
 * else waiting ends with MOIL_STATUS_TIMEOUT. May not use the client. */
typedef int moil_progress_fn(void *data, const char *state, const char *meta, size_t meta_len);

/* Waits until the job ends. timeout < 0: as long as it takes. on_progress may be NULL. The link
 * being down while waiting is no error until the timeout: it reconnects and asks again; when it is
 * still down then, MOIL_STATUS_UNAVAILABLE. */
MOIL_API int moil_wait(moil_client *client, const char *id, double timeout,
                       moil_progress_fn *on_progress, void *data, moil_result *out);

/* Everything known about a job, as one JSON object (CONTRACT: `--json` of a job). *json: moil_free.
 */
MOIL_API int moil_inspect_job(moil_client *client, const char *id, char **json);

/* A workflow, by the id of its handle (a chain's last job, a group, a chord's body), as one JSON
 * object: {"id", "jobs": how many, "states": {state: how many}, "tree": […]}. In a tree, and in
 * each list below, stand
 * - jobs: {"id", "kind": "job", "task", "state", "error": {"code", "message"}, "links": […]}
 * - groups: {"id", "kind": "group", "state", "count", "states", "members": […], "links": […]}
 * - chains: {"kind": "chain", "steps": […]}
 *
 * besides "after", the id that it waits for, "group", that of the group that it is a member of, and
 * "on", with a callback: "success" or "failure". Of the jobs that failed 100 have their error, such
 * that failed by themselves first; groups in groups are told 100 deep. State UNKNOWN: the result
 * was not kept. MOIL_STATUS_UNKNOWN: there is no such workflow; the sentence says what else the id
 * is. *json: moil_free. */
MOIL_API int moil_inspect_workflow(moil_client *client, const char *id, char **json);

typedef enum moil_view {
    /* [{"queue", "pending", "paused", "oldest_at" (of the pending jobs that are next on their
     * levels), "delayed", "deferred", "in_flight", "dead", "enqueued" and "ended" (ever),
     * "replayed", "workers" (that serve it)}] by name, and behind them one object without "queue":
     * the totals "delayed", "deferred", "dead", "in_flight", "pending". */
    MOIL_VIEW_QUEUES,
    MOIL_VIEW_ACTIVE,     /* jobs in flight */
    MOIL_VIEW_SCHEDULED,  /* delayed jobs, the earliest first, with "due_at" */
    MOIL_VIEW_DEAD,       /* the dead set, the newest first */
    MOIL_VIEW_NODES,      /* nodes with their workers */
    MOIL_VIEW_REGISTERED, /* task names and who serves them */
    MOIL_VIEW_PENDING,    /* jobs that wait in a queue ("default" unless a filter says), in order */
    MOIL_VIEW_DEFERRED    /* jobs that wait for others, with "waits_for": how many, in no order */
} moil_view;

/* A JSON array of objects, at most `limit` (0: 1,000) after `offset`. *json: moil_free. */
MOIL_API int moil_inspect(moil_client *client, moil_view view, size_t offset, size_t limit,
                          char **json);

/* Which jobs of a view are wanted; NULL: any. The strings are borrowed for the call. */
typedef struct moil_filter {
    const char *task, *queue, *state;
} moil_filter;

/* The same, of the jobs that the filter (may be NULL) names; offset and limit count those. At most
 * 1,000,000 jobs are looked at. MOIL_STATUS_INVALID: a filter for a view without jobs. */
MOIL_API int moil_inspect_matching(moil_client *client, moil_view view, const moil_filter *filter,
                                   size_t offset, size_t limit, char **json);

/* Checks the books, at one moment and without stopping anything: what was enqueued against where it
 * is now, by queue, and the counters against what Redis holds; then, a page at a time, that each
 * job is in exactly one place, and that what is deferred waits for ends to come. Returns how many
 * differences there are, 0 being good, or a negative code. *json (moil_free): {"ok",
 * "queues": [{"queue", "enqueued", "pending", "delayed", "deferred", "in_flight", "dead",
 * "ended": {…}, "discarded": {…}, …}], "delayed", "deferred", "dead", "in_flight": {"counted",
 * "found", "ok"}, "fenced": {…}, "differences": [text]} */
MOIL_API int moil_audit(moil_client *client, char **json);

/* Cancels a waiting job: it ends as REVOKED and never runs. state (201 bytes, may be NULL) gets the
 * job's state afterwards: "REVOKED", an ended job's own state, or "STARTED" when a worker holds it:
 * with terminate the worker has been told to end it, and it ends as REVOKED unless it was faster.
 * Of a workflow or group all of it is cancelled, whatever the state of the job itself. */
MOIL_API int moil_revoke(moil_client *client, const char *id, int terminate, char *state);

/* Gives a waiting job another time: the job is due at `eta` (seconds since the epoch) or, where
 * that is 0, `countdown` seconds from now, by Redis's clock. Its place does not matter: one that is
 * delayed, waits for a retry or stands in its queue already is put off or sooner; one that waits
 * for other jobs is due then, but not before those have ended. Its `expires` stays what it was.
 * state as for moil_revoke: "SCHEDULED", "RETRY" or "DEFERRED", and all is well; anything else is
 * the state in which it was found, too late, and nothing has changed. */
MOIL_API int moil_reschedule(moil_client *client, const char *id, double countdown, double eta,
                             char *state);

/* Drops an ended job's result (1) or tells that there was none to drop (0). */
MOIL_API int moil_forget(moil_client *client, const char *id);

/* Removes a job that is not running, wherever it is. */
MOIL_API int moil_delete(moil_client *client, const char *id);

/* Queues. purge drops what is pending and sets *purged (may be NULL) to how many; pause stops the
 * fetching of new jobs. */
MOIL_API int moil_purge(moil_client *client, const char *queue, size_t *purged);
MOIL_API int moil_pause(moil_client *client, const char *queue);
MOIL_API int moil_resume(moil_client *client, const char *queue);

/* The dead set. An id, or NULL for all (of one task when `task` is not NULL). *count (may be NULL):
 * how many were moved or removed. */
MOIL_API int moil_dead_retry(moil_client *client, const char *id, const char *task, size_t *count);
MOIL_API int moil_dead_delete(moil_client *client, const char *id, const char *task, size_t *count);

/* 1 when a live worker serves the queue (or, NULL, any queue), 0 when none does, or a negative
 * code. */
MOIL_API int moil_is_served(moil_client *client, const char *queue);

/* --- beat ------------------------------------------------------------------------------------- */

/* Entries of run time: jobs that every scheduler of the namespace (`moil worker`, `moil beat`)
 * enqueues when they are due. An entry is a JSON object, as in a beat file (docs/scheduling.md):
 * {"task", one of "every", "cron", "solar" and "at", "args", "queue", …}. A name is 1 to 200
 * printable characters without space; an entry has at most 64 KB, and there are at most 100,000.
 *
 * An entry of a beat file can be paused and resumed too, once a scheduler has seen it. */

/* Adds an entry, or puts it in the place of the one of that name. 1: it was added; 2: it was
 * changed, and goes on from now; 0: this very entry is there already, and goes on as it does.
 * MOIL_STATUS_INVALID names the entry and the field that is wrong. */
MOIL_API int moil_beat_put(moil_client *client, const char *name, const char *json);

/* The same of an entry that begins with its first due time, also where that has passed by now; with
 * "start", "every" and "max_runs" it repeats a job so many times; those of an entry that was there
 * under that name do not count. */
MOIL_API int moil_beat_begin(moil_client *client, const char *name, const char *json);

/* Changes fields of an entry of run time: those in the object; null takes one away. 1, or 0 when it
 * was so already; MOIL_STATUS_UNKNOWN: there is none; MOIL_STATUS_STATE: it is one of a file. */
MOIL_API int moil_beat_change(moil_client *client, const char *name, const char *json);

/* Takes an entry of run time away; jobs that it has enqueued stay. 1; 2: it is one of a file, and
 * what was known of it is dropped: a scheduler that has it in its file begins anew;
 * MOIL_STATUS_UNKNOWN. */
MOIL_API int moil_beat_remove(moil_client *client, const char *name);

/* Pauses an entry, or (0) resumes it: what falls due meanwhile is passed over. 1, or 0 when it was
 * so already; MOIL_STATUS_UNKNOWN. */
MOIL_API int moil_beat_pause(moil_client *client, const char *name, int paused);

/* The time by which all of this is due: that of Redis's clock, in seconds since the epoch. 0, or a
 * negative status. */
MOIL_API int moil_now(moil_client *client, double *seconds);

/* All entries that schedulers know, by name: [{"name", "source": "run time" or "file", "task",
 * "when", "next_at", "last_due_at", "last_id", "runs", "paused", "first_at", "version", "entry"}],
 * times in seconds since the epoch; of a file's entry "task", "when", "next_at" and "entry" are not
 * known to Redis. *json: moil_free. */
MOIL_API int moil_beat_list(moil_client *client, char **json);

/* The last ticks, of one entry or (NULL) of all, the newest first, at most `limit` (0: all that are
 * kept, 1,000): [{"name", "due_at", "fired_at", "outcome": "fired", "skipped_overlap" or
 * "skipped_late", "id"}]. MOIL_STATUS_UNKNOWN: neither an entry nor a tick has that name. *json:
 * moil_free. */
MOIL_API int moil_beat_history(moil_client *client, const char *name, size_t limit, char **json);

/* --- runtime ---------------------------------------------------------------------------------- */

typedef struct moil_runtime_options {
    const char *url, *ns;     /* as for a client; "embedded[:DIR]" also runs the server */
    const char *const *paths; /* task files and folders, NULL-terminated */
    const char *queues;  /* "high,default,low" or "a:3,b:1"; NULL: default and those the tasks name
                          */
    const char *name;    /* of the node; NULL: host name and pid */
    const char *pidfile; /* NULL: none */
    const char *lua_dir; /* NULL: the embedded library */
    const char *config_json; /* plain data of moil.lua for tasks (routes, task_defaults); NULL: none
                              */
    const char *beat_file;   /* its entries are run too; NULL: none. A reload reads it anew */
    int beat_optional;       /* not 0: beat_file need not be there */
    int beat_only;           /* not 0: the schedule alone: no workers, no tasks, no paths */
    int workers;             /* 0: one per core */
    int concurrency;         /* jobs at a time in each; 0: 16 */
    int burst;               /* not 0: exit when the queues are empty */
    double time_limit, soft_time_limit; /* of jobs that say nothing else: 0: the defaults (3,600 s;
                                           none); < 0: none */
    double memory_limit;                /* MB, of jobs whose task says nothing else; 0: none */
    double max_memory;       /* MB, resident: a worker process past it is replaced; 0: no bound */
    unsigned long max_tasks; /* jobs after which a worker process is replaced; 0: no bound */
    double shutdown_timeout; /* 0: 25 s */
    double result_ttl;       /* 0: 86,400 s; < 0: results are not kept */
    double lease;            /* without a heartbeat for that long a node is gone; 0: 15 s */
    size_t max_payload;      /* 0: 1 MB */
    const char *log_level;   /* "debug", "info", "warning", "error"; NULL: as it is */
    int watch;               /* not 0: reload when a script or config_file changes */
    const char *config_file; /* only to be watched; NULL: none */
    /* For reloads; NULL: the options stay as they are. Called in a child process that ends soon, so
     * nothing needs to be freed: *next holds the running options, and is to become those that a
     * start would have now. url, ns, paths, name, pidfile, burst, lease, watch, beat_only and
     * config_file cannot change. 0; or anything else with one line in errstr: then the reload is
     * not done. */
    int (*reload)(void *data, struct moil_runtime_options *next, char *errstr, size_t errlen);
    void *reload_data;
} moil_runtime_options;

/* Becomes the supervisor: forks workers and an agent, handles signals, returns the exit status when
 * all is done (CONTRACT, "Exit codes"). Main thread only, before other threads start. Its children
 * leave by _exit. It takes systemd's NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the
 * environment, and obeys them. */
MOIL_API int moil_runtime_run(const moil_runtime_options *options);

/* Loads the paths in a child process as a worker would, and beat_file, within 1 s; 0, or
 * MOIL_STATUS_INVALID with "file:line: …" in errstr. *json (may be NULL; moil_free) gets
 * {"tasks":[{"name","queue","where",…}],"queues":[…],"warnings":[…]}, and "beat" with a beat_file:
 * its content as moil_beat_read has it, each entry with its queue. */
MOIL_API int moil_runtime_check(const moil_runtime_options *options, char **json, char *errstr,
                                size_t errlen);

/* --- schedules -------------------------------------------------------------------------------- */

/* Evaluates a beat file: plain Lua of at most 1 s that returns { timezone = …, schedule = { … } }.
 * 0, or MOIL_STATUS_INVALID with one line in errstr that names the file, and the line or the entry
 * and its field. *json (moil_free) gets the same as a JSON object, its keys sorted. */
MOIL_API int moil_beat_read(const char *path, char **json, char *errstr, size_t errlen);

/* The first n runs after `from` (seconds since the epoch) of all entries of a schedule, in order.
 * `json` is an object as moil_beat_read gives. Nothing is run, no Redis is asked: pauses and
 * earlier runs that Redis knows of do not count. 0, or MOIL_STATUS_INVALID with one line in errstr.
 * *runs (moil_free) gets [{"entry","task","due" (seconds since the epoch),"local" (ISO 8601, in the
 * entry's zone),"timezone"},…]. */
MOIL_API int moil_beat_next(const char *json, double from, size_t n, char **runs, char *errstr,
                            size_t errlen);

#ifdef __cplusplus
}
#endif

#endif
