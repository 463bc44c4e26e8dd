/* The client on a host's loop, scene by scene: what spec/api/async_spec.lua runs. Built as
 * build/spec/async_probe; knows moil.h and libev alone.
 *
 *   async_probe URL DEADLINE SCENE [WORD]...
 *
 * Each callback prints one line: its name, the status, then the answer or the sentence. Nothing is
 * done about SIGPIPE, so a signal that gets through ends the program. A line on stdin lets a scene
 * that has printed "ready" go on. */
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/moil.h"

static struct ev_loop *loop;
static moil_async *client;
static char **words; /* of the scene */
static int open_calls;
static volatile int no_view = 99; /* which compilers are not to know */
static int starting;              /* a callback that comes now comes too early */

static void say(const char *name, int status, const char *text)
{
    printf("%s %d %s%s\n", name, status, text ? text : "", starting ? " EARLY" : "");
    fflush(stdout);
}

/* The last answer ends the program's loop. */
static void closed(void)
{
    if (--open_calls == 0)
        ev_break(loop, EVBREAK_ALL);
}

static void on_text(void *name, int status, const char *error, const char *text)
{
    say(name, status, status ? error : text);
    closed();
}

static void on_count(void *name, int status, const char *error, size_t count)
{
    char text[32];
    snprintf(text, sizeof text, "%zu", count);
    say(name, status, status ? error : text);
    closed();
}

static void on_enqueued(void *name, int status, const char *error, const moil_enqueued *jobs,
                        size_t count)
{
    char text[512] = "";
    for (size_t i = 0; i < count && i < 3; i++) {
        size_t at = strlen(text);
        snprintf(text + at, sizeof text - at, "%s%.60s:%d", i ? " " : "", jobs[i].id,
                 jobs[i].created);
    }
    say(name, status, status ? error : text);
    closed();
}

static int on_progress(void *name, const char *state, const char *meta, size_t len)
{
    printf("progress of %s: %s %.*s\n", (const char *)name, state, (int)len, meta);
    fflush(stdout);
    return 0;
}

static void on_waited(void *name, int status, const char *error, const moil_result *result)
{
    char text[512];
    snprintf(text, sizeof text, "%.60s %.400s", result ? result->state : "",
             result ? result->value : "");
    say(name, status, status ? error : text);
    closed();
}

/* Counts a call that was started; else why not. */
static moil_request *started(const char *name, moil_request *request)
{
    if (request)
        open_calls++;
    else
        printf("%s %d %s\n", name, moil_async_status(client), moil_async_error(client));
    return request;
}

#define START(name, call) (starting++, started((name), (call)), starting--)

static void run(void)
{
    if (open_calls > 0)
        ev_run(loop, 0);
}

/* Lets the spec do something. The loop does not run meanwhile. */
static void pause_here(void)
{
    char line[16];
    puts("ready");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        exit(3);
}

static char *name_of(const char *name)
{
    static char names[64][16]; /* data is not const */
    static unsigned next;
    char *copy = names[next++ % 64];
    snprintf(copy, sizeof names[0], "%s", name);
    return copy;
}

static void enqueue(const char *name, const char *task, const char *args, const char *id)
{
    moil_job job = {.task = task, .args = args, .id = id};
    START(name, moil_async_enqueue(client, &job, 1, on_enqueued, name_of(name)));
}

static void wait_for(const char *name, const char *id, double timeout)
{
    START(name, moil_async_wait(client, id, timeout, on_progress, on_waited, name_of(name)));
}

/* --- scenes ----------------------------------------------------------------------------------- */

/* Every call once, and what they refuse. */
static void scene_all(void)
{
    const char *before[] = {"a", "b", NULL};
    moil_job jobs[] = {{.task = "quick", .args = "[1]", .id = "a"},
                       {.task = "steps", .args = "[3]", .id = "b"},
                       {.task = "quick", .args = "[3]", .id = "c", .depends_on = before}};
    START("enqueue", moil_async_enqueue(client, jobs, 3, on_enqueued, name_of("enqueue")));
    memset(jobs, 0, sizeof jobs); /* it was copied */
    run();
    wait_for("wait", "c", 20);
    wait_for("steps", "b", 20);
    run();
    jobs[0] = (moil_job){.task = "quick", .id = "later", .countdown = 1000};
    START("later", moil_async_enqueue(client, jobs, 1, on_enqueued, name_of("later")));
    run();
    START("job", moil_async_inspect_job(client, "later", on_text, name_of("job")));
    START("scheduled",
          moil_async_inspect(client, MOIL_VIEW_SCHEDULED, 0, 5, on_text, name_of("scheduled")));
    START("queues", moil_async_inspect(client, MOIL_VIEW_QUEUES, 0, 0, on_text, name_of("queues")));
    START("served", moil_async_is_served(client, "default", on_count, name_of("served")));
    run();
    START("put off", moil_async_reschedule(client, "later", 2000, 0, on_text, name_of("put off")));
    run();
    START("revoke", moil_async_revoke(client, "later", 0, on_text, name_of("revoke")));
    run();
    START("forget", moil_async_forget(client, "later", on_count, name_of("forget")));
    START("delete", moil_async_delete(client, "c", on_count, name_of("delete")));
    START("pause", moil_async_pause(client, "idle", on_count, name_of("pause")));
    run();
    jobs[0] = (moil_job){.task = "quick", .queue = "idle"};
    START("idle", moil_async_enqueue(client, jobs, 1, NULL, NULL)); /* nobody is told */
    open_calls--;
    START("purge", moil_async_purge(client, "idle", on_count, name_of("purge")));
    START("resume", moil_async_resume(client, "idle", on_count, name_of("resume")));
    START("gone", moil_async_wait(client, "nobody", 1, NULL, on_waited, name_of("gone")));
    run();
    START("no id", moil_async_wait(client, "a b", 1, NULL, on_waited, NULL));
    START("no task", moil_async_enqueue(client, jobs + 1, 1, on_enqueued, NULL));
    START("no jobs", moil_async_enqueue(client, NULL, 2, on_enqueued, NULL));
    START("no view", moil_async_inspect(client, (moil_view)no_view, 0, 0, on_text, NULL));
}

/* Any number of jobs, each enqueued and waited for by a call of its own, all at once. */
struct job_of_many {
    moil_enqueued job;
    int index;
};

static unsigned many_right;

static void one_waited(void *data, int status, const char *error, const moil_result *result)
{
    const struct job_of_many *one = data;
    if (status == 0 && atoi(result->value) == one->index)
        many_right++;
    else
        say("wrong", status, error);
    closed();
}

static void one_enqueued(void *data, int status, const char *error, const moil_enqueued *jobs,
                         size_t count)
{
    struct job_of_many *one = data;
    if (status || count != 1) {
        say("wrong", status, error);
    } else {
        one->job = jobs[0];
        started("wait", moil_async_wait(client, one->job.id, 60, NULL, one_waited, one));
    }
    closed();
}

static void scene_many(void)
{
    int count = atoi(words[0]);
    char args[32];
    struct job_of_many *all = calloc((size_t)count, sizeof *all);
    for (int i = 0; all && i < count; i++) {
        all[i].index = i;
        snprintf(args, sizeof args, "[%d]", i);
        moil_job job = {.task = "quick", .args = args};
        started("enqueue", moil_async_enqueue(client, &job, 1, one_enqueued, &all[i]));
    }
    run();
    printf("right %u\n", many_right);
    free(all);
}

/* In one call; `moil_async_enqueue` has to cut it into chunks. */
static void scene_bulk(void)
{
    size_t count = strtoul(words[0], NULL, 10);
    moil_job *jobs = calloc(count, sizeof *jobs);
    for (size_t i = 0; jobs && i < count; i++)
        jobs[i].task = "none";
    START("bulk", moil_async_enqueue(client, jobs, count, on_enqueued, name_of("bulk")));
    free(jobs);
    run();
}

/* --- cancelling and closing ------------------------------------------------------------------- */

static moil_request *to_cancel;

static int cancel_in_progress(void *name, const char *state, const char *meta, size_t len)
{
    on_progress(name, state, meta, len);
    moil_async_cancel(to_cancel);
    return 0;
}

static void scene_cancel(void)
{
    moil_job job = {.task = "quick"};
    enqueue("steps", "steps", "[50]", "long");
    run();
    to_cancel =
        started("wait", moil_async_wait(client, "long", 20, NULL, on_waited, name_of("wait")));
    moil_async_cancel(to_cancel); /* before anything was sent: its callback comes here */
    puts("cancelled");
    to_cancel = started("in it", moil_async_wait(client, "long", 20, cancel_in_progress, on_waited,
                                                 name_of("in it")));
    run();
    to_cancel = started("sent", moil_async_enqueue(client, &job, 1, on_enqueued, name_of("sent")));
    ev_run(loop, EVRUN_NOWAIT);
    ev_run(loop, EVRUN_NOWAIT);
    if (open_calls > 0)
        moil_async_cancel(to_cancel);
    START("after", moil_async_revoke(client, "long", 1, on_text, name_of("after")));
    run();
}

static void close_client(void *name, int status, const char *error, const char *text)
{
    say(name, status, status ? error : text);
    moil_async_close(client);
    client = NULL;
    say("closed", 0, "");
    closed();
}

static int close_in_progress(void *name, const char *state, const char *meta, size_t len)
{
    on_progress(name, state, meta, len);
    moil_async_close(client);
    client = NULL;
    return 0;
}

/* With calls under way, inside of a callback of one of them. */
static void scene_close(void)
{
    enqueue("hold", "steps", "[50]", "held");
    run();
    wait_for("wait", "held", 20);
    wait_for("again", "held", -1);
    START("first", moil_async_inspect_job(client, "held", close_client, name_of("first")));
    START("second", moil_async_inspect_job(client, "held", on_text, name_of("second")));
    run();
}

static void scene_close_in_progress(void)
{
    enqueue("steps", "steps", "[50]", "s");
    run();
    START("wait", moil_async_wait(client, "s", 20, close_in_progress, on_waited, name_of("wait")));
    wait_for("other", "s", 20);
    run();
}

/* Before the loop has run at all. */
static void scene_close_early(void)
{
    wait_for("wait", "held", 20);
    enqueue("enqueue", "quick", "[1]", NULL);
    moil_async_close(client);
    client = NULL;
}

/* --- faults ----------------------------------------------------------------------------------- */

/* The link is lost while a job is waited for; calls begun meanwhile find it up again. */
static void scene_outage(void)
{
    enqueue("hold", "steps", "[200]", "held");
    run();
    wait_for("wait", "held", 60);
    ev_run(loop, EVRUN_NOWAIT);
    pause_here(); /* Redis goes */
    enqueue("fails", "quick", "[1]", "x");
    enqueue("fails too", "quick", "[1]", "y");
    open_calls--; /* the wait goes on */
    run();
    open_calls++;
    pause_here(); /* and comes back */
    enqueue("again", "quick", "[7]", "x");
    run();
}

/* The server closes the socket before something is written to it, again and again. */
static void scene_closed_socket(void)
{
    char name[16];
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "call %d", i);
        START(name, moil_async_is_served(client, NULL, on_count, name_of(name)));
        if (i == 2)
            wait_for("waits", "nobody", 1);
        run();
        pause_here();
    }
}

static void scene_blocking(void)
{
    moil_client *blocking;
    char why[256];
    moil_client_options options = {.url = words[0]};
    int status = moil_client_open(&blocking, &options, why, sizeof why);
    for (int i = 0; i < 5 && status >= 0; i++) {
        status = moil_is_served(blocking, NULL);
        say("blocking", status, moil_client_error(blocking));
        pause_here();
    }
    moil_client_close(blocking);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } scenes[] = {
        {"all", scene_all},
        {"many", scene_many},
        {"bulk", scene_bulk},
        {"cancel", scene_cancel},
        {"close", scene_close},
        {"close_in_progress", scene_close_in_progress},
        {"close_early", scene_close_early},
        {"outage", scene_outage},
        {"closed_socket", scene_closed_socket},
        {"blocking", scene_blocking},
    };
    char why[256] = "";
    if (argc < 4)
        return 2;
    moil_client_options options = {.url = argv[1], .deadline = atof(argv[2])};
    loop = ev_loop_new(EVFLAG_AUTO);
    words = argv + 4;
    signal(SIGPIPE, SIG_DFL); /* as most programs have it */
    int status = moil_async_open(&client, loop, &options, why, sizeof why);
    say("open", status, why);
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes && !status; i++)
        if (strcmp(argv[3], scenes[i].name) == 0)
            scenes[i].run();
    moil_async_close(client);
    ev_loop_destroy(loop);
    puts("end");
    return 0;
}
