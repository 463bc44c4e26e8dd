/* moil: a Lua-scriptable distributed task queue. The public header, for C and C++.
 *
 *   client   open a connection, enqueue jobs, wait for results, inspect and steer queues
 *   tasks    tasks whose function is written in C
 *   worker   a worker on the host's own event loop, in the host's process
 *   runtime  be a `moil worker`: supervisor, worker processes, agent
 *
 * Strings are UTF-8 and NUL-terminated unless a length goes with them. Times are seconds (double)
 * unless a name says otherwise. Functions that can fail return 0 or a negative MOIL_STATUS_… and
 * leave their out-parameters alone on failure, but where it says otherwise; moil_client_error has
 * the sentence for people. Arguments are borrowed for the call. What a function allocates for the
 * caller is freed by moil_free or by the free function named at it. A client, as any other object
 * here, belongs to one thread at a time; objects share nothing. No signal is touched, nothing is
 * printed but log lines (to stderr, where moil_set_log does not take them: a worker says what
 * becomes of its jobs and its connections), and the process is never exited, except by
 * moil_runtime_run as documented there.
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
    MOIL_STATUS_STATE = -16,      /* not possible in the present state */
    MOIL_STATUS_CANCELLED = -17   /* of a request: it was cancelled, or its client closed */
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
 * what is due by Redis's. monotonic_us is called from the handler of SIGALRM as well in the
 * runtime's workers and with MOIL_LIMITS_SIGNAL: there it may do only what a signal handler may. */
MOIL_API void moil_set_clock(const moil_clock *clock);

/* --- client ----------------------------------------------------------------------------------- */

typedef struct moil_client moil_client;

typedef struct moil_client_options {
    /* redis://…, unix:///…, embedded:DIR; NULL: MOIL_REDIS, .moil/redis.sock, or localhost */
    const char *url;
    const char *ns;     /* the namespace; NULL: "moil" */
    double deadline;    /* of each call, connecting included, at most 86,400 s; 0: 5 s */
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
    MOIL_VIEW_REGISTERED, /* task names, who serves them, and time limits set at run time */
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

/* Why a job is not running yet: {"id", "task", "queue", "state", "place": "pending", "delayed",
 * "deferred", "inflight", "ended" or "dead", "reasons": [{"code", "text", …}]}, the reasons in the
 * order in which they stand in its way. Codes, and what else a reason has:
 *
 *   paused, no_worker, no_task, quiet, stuck   its queue, and who serves it
 *   behind       "before": how many jobs, "exact": those are all; "rate" (a second), "eta" (s)
 *   busy, next   all slots are taken; nothing is in its way
 *   not_due, retry, overdue                    "due_at"
 *   waits_for, group, member                   "job": {"id", "state", "task"}
 *   running, reserved, beside, worker_lost, node_silent, degraded
 *   ended, dead                                "finished_at"
 *   damaged
 *
 * sample: for so many seconds (at most 10) the queue is watched where other jobs are before it; 0:
 * without "rate" and "eta". *json: moil_free. */
MOIL_API int moil_why(moil_client *client, const char *id, double sample, char **json);

/* Examines Redis, what the client's user may do there, clocks, nodes, queues, dead jobs, the books
 * (where there are at most 200,000 records) and this machine. Returns how many things are bad, also
 * where Redis is not there, or MOIL_STATUS_NOMEM. *json (moil_free): {"ok", "checks": [{"check",
 * "level": "ok", "warn" or "bad", "text", "advice"}]}. Takes as long as a hundred PINGs and an
 * audit. */
MOIL_API int moil_doctor(moil_client *client, char **json);

/* Called between the pages of moil_purge, moil_dead_retry and moil_dead_delete with how many jobs
 * are done, of how many (0: not known). Return 0 to go on; else the call ends with
 * MOIL_STATUS_CANCELLED, and what is done stays done. May not use the client. */
typedef int moil_step_fn(void *data, size_t done, size_t total);

/* From now on; fn NULL: nothing is called. */
MOIL_API void moil_client_on_step(moil_client *client, moil_step_fn *fn, void *data);

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

/* --- client on the host's loop ---------------------------------------------------------------- */

/* The same without blocking, on an event loop (libev) of the program's: a call is started, and its
 * callback comes from the loop when it has ended. No thread waits, none is made (but for the
 * look-up of a host name), no signal is touched. A client belongs to the thread that runs its loop;
 * clients in several threads, each on a loop of its own, need no lock. Any number of calls may be
 * under way on one client; they share its connections.
 *
 * Starting: arguments are borrowed for the starting call. NULL: a wrong argument or no memory; then
 * moil_async_error has the sentence, moil_async_status the code, and no callback comes. Else the
 * request is valid until its callback is called, which happens once, and never from inside the
 * starting call. A callback may be NULL.
 *
 * Ending: a callback gets its `data`, a status (0 or negative) with its sentence ("" where it is
 * 0), and the answer, which is borrowed for the call. It may start and cancel requests, and close
 * the client.
 *
 * Deadlines are those of the blocking client: each call has options.deadline for each question that
 * it asks of Redis. Without a link it waits for it, which is made again and again; at the deadline
 * it fails with MOIL_STATUS_UNAVAILABLE. */

struct ev_loop;
typedef struct moil_async moil_async;
typedef struct moil_request moil_request;

/* Makes a client, and connects when the loop runs. The loop is borrowed, and must outlive it; while
 * the client is open, ev_run does not return by itself. MOIL_STATUS_INVALID or _NOMEM with one line
 * in errstr (may be NULL). */
MOIL_API int moil_async_open(moil_async **out, struct ev_loop *loop,
                             const moil_client_options *options, char *errstr, size_t errlen);

/* First what is under way is told MOIL_STATUS_CANCELLED, then all is freed; jobs that were on their
 * way may be in. Also from inside a callback. NULL is fine. */
MOIL_API void moil_async_close(moil_async *client);

/* Why the last start gave NULL: the sentence and the status; "" and 0 when it did not. The sentence
 * is valid until the next start. */
MOIL_API const char *moil_async_error(const moil_async *client);
MOIL_API int moil_async_status(const moil_async *client);

/* Calls the request's callback with MOIL_STATUS_CANCELLED, now; it is gone afterwards. What Redis
 * was asked already it may do all the same. */
MOIL_API void moil_async_cancel(moil_request *request);

/* jobs: one for each that was to be enqueued, in order; after a failure too (the ids may be
 * enqueued again), where `created` says nothing. */
typedef void moil_enqueued_fn(void *data, int status, const char *error, const moil_enqueued *jobs,
                              size_t count);
MOIL_API moil_request *moil_async_enqueue(moil_async *client, const moil_job *jobs, size_t count,
                                          moil_enqueued_fn *fn, void *data);

/* result: NULL after a failure; its value is borrowed, not the program's to free. */
typedef void moil_waited_fn(void *data, int status, const char *error, const moil_result *result);

/* As moil_wait. on_progress (may be NULL) may use the client, and close it; both get `data`. */
MOIL_API moil_request *moil_async_wait(moil_async *client, const char *id, double timeout,
                                       moil_progress_fn *on_progress, moil_waited_fn *fn,
                                       void *data);

/* text: NULL after a failure, else the answer: a state, or JSON. */
typedef void moil_answer_fn(void *data, int status, const char *error, const char *text);

/* As moil_revoke and moil_reschedule; text is the job's state. */
MOIL_API moil_request *moil_async_revoke(moil_async *client, const char *id, int terminate,
                                         moil_answer_fn *fn, void *data);
MOIL_API moil_request *moil_async_reschedule(moil_async *client, const char *id, double countdown,
                                             double eta, moil_answer_fn *fn, void *data);

/* As moil_inspect_job and moil_inspect; text is JSON. */
MOIL_API moil_request *moil_async_inspect_job(moil_async *client, const char *id,
                                              moil_answer_fn *fn, void *data);
MOIL_API moil_request *moil_async_inspect(moil_async *client, moil_view view, size_t offset,
                                          size_t limit, moil_answer_fn *fn, void *data);

/* count: 0 after a failure. */
typedef void moil_count_fn(void *data, int status, const char *error, size_t count);

/* As moil_forget and moil_is_served (count is 1 or 0), moil_delete, moil_pause and moil_resume
 * (count is 1), and moil_purge (how many). */
MOIL_API moil_request *moil_async_forget(moil_async *client, const char *id, moil_count_fn *fn,
                                         void *data);
MOIL_API moil_request *moil_async_delete(moil_async *client, const char *id, moil_count_fn *fn,
                                         void *data);
MOIL_API moil_request *moil_async_purge(moil_async *client, const char *queue, moil_count_fn *fn,
                                        void *data);
MOIL_API moil_request *moil_async_pause(moil_async *client, const char *queue, moil_count_fn *fn,
                                        void *data);
MOIL_API moil_request *moil_async_resume(moil_async *client, const char *queue, moil_count_fn *fn,
                                         void *data);
MOIL_API moil_request *moil_async_is_served(moil_async *client, const char *queue,
                                            moil_count_fn *fn, void *data);

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

/* --- control ---------------------------------------------------------------------------------- */

/* Sends a command to nodes and waits for their answers, `timeout` seconds at most (0: 2, and 30 for
 * those that take longer; at most 3,600). nodes: a name, where * stands for any bytes and ? for
 * one; NULL or "all": every node that is alive. args: a JSON array of at most 64 KB; NULL: [].
 *
 * - ping, stats: signs of life; stats has the node's report as "value"
 * - quiet, resume: takes no new jobs; goes on
 * - reload: answered when the new generation serves, or the check has failed, with its error
 * - grow [N], shrink [N]: workers more and less
 * - stop, kill: warm and cold shutdown; they need nodes, which may be "all"
 * - time-limit TASK {"time_limit": S, "soft_time_limit": S}: of jobs that start from now on, in all
 *   nodes, present and later: seconds, false for none, null for the task's own again, absent: as it
 *   is. Without arguments: those that are set
 * - any other: a function of moil.on_control, in each worker
 *
 * 0: all have done it; 1: some have refused; MOIL_STATUS_TIMEOUT: some are silent, and may have
 * done it or not; MOIL_STATUS_UNKNOWN: there is no such node, or task. Of the first three *json
 * (may be NULL; moil_free) is an array, an object each: {"node", "node_id", "ok"}, and "worker" (1
 * is the first) where a worker answers, "message", "value" or "error" ({"code", "message"}), or
 * "silent". A command is carried out at most once by whom it reaches, and never after the time is
 * over. */
MOIL_API int moil_control(moil_client *client, const char *nodes, const char *command,
                          const char *args, double timeout, char **json);

/* --- events ----------------------------------------------------------------------------------- */

/* What happens in the namespace, as it happens: published by the script that does it, so it has
 * happened. Costs nothing while nobody listens. Nothing is kept for who does not. */
typedef struct moil_event_filter {
    const char *types;               /* "started,failed"; NULL: all. "lost" always comes */
    const char *task, *queue, *node; /* * stands for any bytes, ? for one; NULL: all, else those
                                        events that have such a member */
} moil_event_filter;

/* json: one object: {"type", "at" (seconds, by Redis's clock), …} (docs/operating.md, "Events"),
 * len bytes and a NUL, borrowed for the call. {"type": "lost", "count"}: so many events were
 * missed, as this program was slow or cut off; without "count" nobody knows how many. NULL: five
 * times a second, whether anything has come or not. Not 0: stop. */
typedef int moil_event_fn(void *data, const char *json, size_t len);

/* Listens until fn says stop (0) or `timeout` seconds are over (MOIL_STATUS_TIMEOUT; < 0: none).
 * filter NULL: all events. A connection that is lost is made anew. fn may not use the client. */
MOIL_API int moil_events(moil_client *client, const moil_event_filter *filter, double timeout,
                         moil_event_fn *fn, void *data);

/* --- tasks in C ------------------------------------------------------------------------------- */

struct ev_loop; /* libev's */

/* A set of tasks whose functions are C. Every worker that is given it (moil_worker_options.tasks,
 * moil_runtime_options.tasks) registers them beside those of its Lua files; in every way but their
 * function they are tasks like any other: chains, retry policies, limits and hooks hold for them.
 * A Lua file gets at the function by moil.native(name), and may register the task itself, with
 * hooks: moil.task(name, { on_failure = … }, moil.native(name)).
 *
 * A set is changed before it is given to a worker, not afterwards; it must outlive all of them. One
 * set may serve workers in several threads: the functions are called in the thread of the worker's
 * loop. */
typedef struct moil_tasks moil_tasks;

/* One run of such a task: a job that has started and not ended. It belongs to its worker's thread:
 * another thread may do the work, but has to wake that one (ev_async_send) to tell of it. It is
 * gone as soon as one of the functions that end it has returned 0, or its moil_cancelled_fn was
 * called.
 */
typedef struct moil_run moil_run;

/* Does the work of one job, or begins it: then a callback of the loop ends the run later, and the
 * worker goes on meanwhile. Nothing else of this thread runs before it returns, so what blocks or
 * computes for long belongs elsewhere. A function that returns and lets nobody know of the run
 * leaves the job to its time limit. May not close its worker. */
typedef void moil_task_fn(moil_run *run, void *data);

/* An empty set; 0 or MOIL_STATUS_NOMEM. Free it after the last worker that has it; NULL is fine. */
MOIL_API int moil_tasks_new(moil_tasks **out);
MOIL_API void moil_tasks_free(moil_tasks *tasks);

/* Adds a task. `options` is a JSON object with task options as in Lua: {"queue": "images",
 * "time_limit": 10, "retry": {"policy": "exponential", "max": 5}, …}, NULL: none. Both strings are
 * copied. 0; MOIL_STATUS_STATE: a worker has the set already; MOIL_STATUS_INVALID: no valid name, a
 * name that begins with "moil.", a name that the set has already, no JSON object, or no function
 * (what is wrong in the options is told by moil_worker_open); MOIL_STATUS_NOMEM. */
MOIL_API int moil_task_register(moil_tasks *tasks, const char *name, const char *options,
                                moil_task_fn *fn, void *data);

/* What is to be done. Texts are borrowed as long as the run is there. args: a JSON array; kwargs: a
 * JSON object, "{}" when there are none; retries: how many there were of this job before this run.
 * Where Lua calls the function, the arguments are those of the call, and all else is that of the
 * job that calls. */
MOIL_API const char *moil_run_id(const moil_run *run);
MOIL_API const char *moil_run_task(const moil_run *run);
MOIL_API const char *moil_run_queue(const moil_run *run);
MOIL_API const char *moil_run_args(const moil_run *run, size_t *len);   /* len may be NULL */
MOIL_API const char *moil_run_kwargs(const moil_run *run, size_t *len); /* likewise */
MOIL_API unsigned moil_run_retries(const moil_run *run);

/* Its worker's loop: what finishes it later belongs there, a moil_async client for example. */
MOIL_API struct ev_loop *moil_run_loop(const moil_run *run);

/* Exactly one of these ends a run, in its function or later, in the loop's thread. 0: the run is
 * gone. MOIL_STATUS_INVALID (no JSON, or deeper than 128 levels; no such number),
 * MOIL_STATUS_TOO_LARGE (over max_payload) or MOIL_STATUS_NOMEM: it goes on, and is to be ended
 * otherwise. MOIL_STATUS_STATE: it has ended before (told within its task's function, until which
 * returns it is there), or is being cancelled. Texts are borrowed for the call.
 *
 * succeed: the result, a JSON text; NULL: null. fail: an error {code, message}, which the task's
 * retry policy sees; code NULL: "Error"; message NULL: "". retry: as self:retry in Lua: again after
 * `countdown` seconds
 * (< 0: as the policy says), as often as the policy allows, without one 3 times; then it fails with
 * this error. reject: it has failed for good. ignore: nothing is kept. */
MOIL_API int moil_run_succeed(moil_run *run, const char *result);
MOIL_API int moil_run_fail(moil_run *run, const char *code, const char *message);
MOIL_API int moil_run_retry(moil_run *run, double countdown, const char *code, const char *message);
MOIL_API int moil_run_reject(moil_run *run, const char *reason);
MOIL_API int moil_run_ignore(moil_run *run);

/* Tells those who wait for the job how far it is: a state of your own ("PROGRESS"), and a JSON text
 * with it (NULL: null). Does not wait for Redis. 0; MOIL_STATUS_INVALID: one of moil's own states,
 * or no JSON; MOIL_STATUS_TOO_LARGE; MOIL_STATUS_STATE: it has ended; MOIL_STATUS_UNAVAILABLE: the
 * link is down, and nobody hears of it. */
MOIL_API int moil_run_update_state(moil_run *run, const char *state, const char *meta);

/* Called when a run has to end without having ended itself: its time limit has passed (the soft one
 * too: a C task has only one chance), it was revoked, its worker stops cold, was fenced, or is
 * closed. The function gives up what it does for the run, which is gone when it returns; it may not
 * end it. Never called for a run that has ended itself, nor before its moil_task_fn has returned.
 * `data` is the one given here. fn NULL: nobody is called. */
typedef void moil_cancelled_fn(moil_run *run, void *data);
MOIL_API void moil_run_on_cancel(moil_run *run, moil_cancelled_fn *fn, void *data);

/* --- worker ----------------------------------------------------------------------------------- */

/* A worker on the host's own event loop, in the host's process: tasks in Lua and in C. Its jobs run
 * in turns of the loop, each for 10 to 15 ms at most where the limits allow (see below). It does an
 * agent's duties there as well: its heartbeat, jobs that are due, expired results, entries of run
 * time, workflows, the jobs of nodes that vanished. To `moil inspect nodes` it is a node with one
 * worker.
 *
 * A worker belongs to the thread of its loop. Several may share a loop, and loops of several
 * threads may have one each; they share nothing but a moil_tasks. No signal is touched (but for
 * MOIL_LIMITS_SIGNAL), no process is forked but those of moil.run, the loop is never broken.
 *
 * An open worker keeps ev_run from returning by itself, a stopped one too, until it is closed.
 *
 * What it has not got is the runtime's kill tier: nobody ends a task that is stuck in C. When the
 * loop stands still for longer than the lease, other nodes take the worker's jobs over; it notices,
 * drops them, and goes on as a new worker. */
typedef struct moil_worker moil_worker;

/* How a Lua job on the CPU is made to notice that its slice or a limit is over. A job that waits is
 * watched by the loop, whichever is chosen. */
enum moil_limits {
    MOIL_LIMITS_HOOK = 0, /* a count hook in the Lua VM: it costs every job speed
                             (docs/embedding.md), and the host nothing */
    MOIL_LIMITS_SIGNAL, /* the host lends SIGALRM and a POSIX timer: jobs run at full speed. Of one
                           thread only, whichever, which gets the signal and in which it is
                           unblocked; SIGALRM is as it was after moil_worker_close */
    MOIL_LIMITS_NONE    /* not at all: for tasks that the host wrote itself */
};

typedef struct moil_worker_options {
    const char *url, *ns;     /* as for a client */
    const char *const *paths; /* task files and folders, NULL-terminated; NULL: tasks in C alone */
    const char *queues;       /* as for the runtime */
    const char *name;         /* of the node; NULL: host name and pid */
    const char *lua_dir;      /* NULL: the embedded library */
    const char *config_json;  /* plain data for tasks (routes, task_defaults); NULL: none */
    const moil_tasks *tasks;  /* tasks in C; NULL: none. Borrowed until moil_worker_close */
    int concurrency;          /* jobs at a time; 0: 16 */
    double time_limit, soft_time_limit; /* of jobs that say nothing else: 0: the defaults (3,600 s;
                                           none); < 0: none */
    double memory_limit;                /* MB, of jobs whose task says nothing else; 0: none */
    double max_memory;                  /* MB that the Lua state may hold; 0: no bound */
    double result_ttl;                  /* 0: 86,400 s; < 0: results are not kept; at most 10^9 s */
    size_t max_payload;                 /* 0: 1 MB */
    double lease; /* without a turn of the loop for that long its jobs are others'; 0: 60 s */
    enum moil_limits limits;
    int agentless; /* not 0: of the agent's duties the heartbeat alone: another node does the rest
                    */
    void (*on_ready)(void *data); /* it serves its queues, for the first time; NULL: nobody asks */
    void *data;
} moil_worker_options;

/* Makes a worker and loads its tasks; it serves when the loop runs. The options are copied, but
 * `tasks`; the loop is borrowed until moil_worker_close. 0, or a negative code with one line in
 * errstr (may be NULL): MOIL_STATUS_INVALID for options and tasks ("file:line: what is wrong"),
 * MOIL_STATUS_NOMEM. Redis need not be there yet. */
MOIL_API int moil_worker_open(moil_worker **out, struct ev_loop *loop,
                              const moil_worker_options *options, char *errstr, size_t errlen);

/* Loads the task files anew: when the new code serves, the old takes nothing more, and ends what it
 * runs; at most four generations do so at a time (MOIL_STATUS_STATE). On failure, as for
 * moil_worker_open, the old one goes on. From a C task, too, but not from a moil_cancelled_fn. */
MOIL_API int moil_worker_reload(moil_worker *worker, char *errstr, size_t errlen);

/* Not 0: takes no new jobs, until 0 ends that. `moil control quiet` and `resume` do the same, but
 * for a worker that is agentless. */
MOIL_API void moil_worker_quiet(moil_worker *worker, int quiet);

/* Takes no new jobs, ends what it runs (warm) or gives it back to its queues (cold), and leaves
 * Redis; then on_stopped is called, from the loop, and may close the worker and break the loop. May
 * be called again, to turn warm into cold. Of several calls the last one's callback is called, and
 * that once; of one that comes when it has stopped, it is called again.
 *
 * When Redis is away or does not answer: cold is over after 5 seconds all the same (what could not
 * be given back comes back when the lease is over). Warm waits for Redis as long as it has
 * something to tell it, of what it ran; with nothing to tell it waits a second for a link that is
 * down, and up to 15 for an answer. A host with a deadline of its own turns warm into cold there.
 */
MOIL_API void moil_worker_stop(moil_worker *worker, int cold, void (*on_stopped)(void *data),
                               void *data);

/* Frees it. From anywhere in its thread but a moil_log_fn; within a task in C, or its
 * moil_cancelled_fn, that is put off to the next turn of the loop, until which `tasks` is needed.
 * NULL is fine. Without a stop before, the jobs that it ran come back when the lease is over, by
 * way of another node. */
MOIL_API void moil_worker_close(moil_worker *worker);

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
    const moil_tasks *tasks; /* tasks in C, of all its workers; NULL: none. Stays as it is */
    const char *http; /* "HOST:PORT", ":PORT" for this machine alone: /healthz, /readyz, /metrics
                         are served there; NULL: nothing is. It cannot change either */
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

/* --- replay ----------------------------------------------------------------------------------- */

/* Runs a job once more in a child process, with the tasks of the options' paths, and without Redis:
 * what it enqueues is recorded, not sent; what it waits for runs there too; moil.sleep takes no
 * time. `job`: as moil_inspect_job tells it, and where its options have "gather" (it takes the
 * results of that group), with them as "gathered". 0, and *outcome (moil_free) gets
 * {"outcome": "success" | "failure" | "retry" | "reject" | "ignore" | "replace" | "lost", "result",
 * "error": {"code", "message", "traceback"}, "delay": seconds until the retry, "enqueued": [{"id",
 * "task", "args", "queue", …}]}; what it logs and prints goes to stderr. MOIL_STATUS_UNKNOWN: no
 * such task; MOIL_STATUS_INVALID: the tasks do not load, or the job cannot be run again, with the
 * reason in errstr; MOIL_STATUS_TIMEOUT: it was killed 10 s after its limit. Uses of the options
 * only what concerns tasks. */
MOIL_API int moil_runtime_replay(const moil_runtime_options *options, const char *job,
                                 char **outcome, char *errstr, size_t errlen);

/* The results of a group as a JSON list, as the job gets them that takes them: a failure as
 * {"error": {…}}, null for a member that has not ended, a list for a group in it. *json: moil_free.
 * MOIL_STATUS_UNKNOWN: no such group, or its results have expired; MOIL_STATUS_TOO_LARGE: more than
 * a job is given. */
MOIL_API int moil_gather(moil_client *client, const char *group, char **json);

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
