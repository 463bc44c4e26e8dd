/* worker_probe: a program that embeds workers, as moil.h's user would (spec/api/worker_spec.lua).
 *
 *   worker_probe URL default|new     on libev's default loop, or on one of its own
 *   worker_probe URL checked         the latter, with an allocator that checks each block
 *   worker_probe URL ignored         on the default loop, and the program ignores SIGCHLD
 *   worker_probe URL thread          in a second thread, in which SIGALRM is blocked
 *   worker_probe URL runtime PATH NAME    the whole runtime, with its tasks in C
 *
 * It does what its stdin says, a command a line, and tells what happens on stdout, a line each:
 *   open NAME LIMITS PATH [KEY=VALUE]…   ready NAME later; PATH - : tasks in C alone
 *   reload|quiet|resume|stop|cold|close NAME        stopped NAME later
 *   stall PATH                           the loop stands still until there is such a file
 *   beat                                 turns of the loop so far
 *   quit                                 breaks the loop; also at the end of stdin
 * Each is answered by "ok COMMAND NAME" or "STATUS sentence". */
#include <ev.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/moil.h"
#include "checked_allocator.h"

enum { WORKERS = 8, WORDS = 16, SEED = 7 };

static struct ev_loop *loop;
static const char *url;
static moil_tasks *tasks;
static unsigned long turns;

static struct slot {
    char name[32];
    moil_worker *worker;
} slots[WORKERS];

static void say(const char *what, const char *name)
{
    printf("%s %s\n", what, name);
    fflush(stdout);
}

/* --- tasks ------------------------------------------------------------------------------------ */

static void end(int status)
{
    if (status != 0) {
        fprintf(stderr, "a run could not be ended: %s\n", moil_status_text(status));
        abort();
    }
}

static void add(moil_run *run, void *data)
{
    json_t *args = json_loads(moil_run_args(run, NULL), 0, NULL);
    char text[64];
    (void)data;
    snprintf(text, sizeof text, "%lld",
             (long long)(json_integer_value(json_array_get(args, 0)) +
                         json_integer_value(json_array_get(args, 1))));
    json_decref(args);
    end(moil_run_succeed(run, text));
}

/* All that it was told. */
static void show(moil_run *run, void *data)
{
    char text[4096];
    (void)data;
    snprintf(text, sizeof text,
             "{\"id\":\"%s\",\"task\":\"%s\",\"queue\":\"%s\",\"retries\":%u,\"args\":%s,"
             "\"kwargs\":%s}",
             moil_run_id(run), moil_run_task(run), moil_run_queue(run), moil_run_retries(run),
             moil_run_args(run, NULL), moil_run_kwargs(run, NULL));
    end(moil_run_succeed(run, text));
}

struct nap {
    ev_timer timer;
    moil_run *run;
    char text[128];
};

static void awake(struct ev_loop *l, ev_timer *timer, int events)
{
    struct nap *nap = timer->data;
    (void)l, (void)events;
    end(moil_run_succeed(nap->run, nap->text));
    free(nap);
}

static void forget(moil_run *run, void *data)
{
    struct nap *nap = data;
    say("cancelled", moil_run_task(run));
    if (moil_run_ignore(run) != MOIL_STATUS_STATE)
        abort();
    ev_timer_stop(moil_run_loop(run), &nap->timer);
    free(nap);
}

/* (seconds, what is to be given, a JSON integer) */
static void later(moil_run *run, void *data)
{
    json_t *args = json_loads(moil_run_args(run, NULL), 0, NULL);
    struct nap *nap = calloc(1, sizeof *nap);
    (void)data;
    nap->run = run;
    snprintf(nap->text, sizeof nap->text, "%lld",
             (long long)json_integer_value(json_array_get(args, 1)));
    ev_timer_init(&nap->timer, awake, json_number_value(json_array_get(args, 0)), 0);
    nap->timer.data = nap;
    json_decref(args);
    ev_timer_start(moil_run_loop(run), &nap->timer);
    moil_run_on_cancel(run, forget, nap);
    say("began", moil_run_id(run));
}

static void steps(moil_run *run, void *data)
{
    (void)data;
    end(moil_run_update_state(run, "STEP", "{\"n\":1}"));
    if (moil_run_update_state(run, "SUCCESS", NULL) != MOIL_STATUS_INVALID ||
        moil_run_update_state(run, "STEP", "{") != MOIL_STATUS_INVALID)
        abort();
    later(run, NULL);
}

static void bad(moil_run *run, void *data)
{
    (void)data;
    char deep[300] = "";
    memset(deep, '[', 129);
    memset(deep + 129, ']', 129);
    if (moil_run_succeed(run, "{\"a\":") != MOIL_STATUS_INVALID ||
        moil_run_succeed(run, deep) != MOIL_STATUS_INVALID ||
        moil_run_fail(run, "no name", "") != MOIL_STATUS_INVALID)
        abort();
    end(moil_run_fail(run, "BAD_INPUT", "it was \"bad\"\nindeed"));
    if (moil_run_succeed(run, NULL) != MOIL_STATUS_STATE ||
        moil_run_update_state(run, "STEP", NULL) != MOIL_STATUS_STATE)
        abort();
}

static void again(moil_run *run, void *data)
{
    (void)data;
    if (moil_run_retries(run) < 2)
        end(moil_run_retry(run, 0.01, "NOT_YET", "wait"));
    else
        end(moil_run_succeed(run, "\"at last\""));
}

static void never(moil_run *run, void *data)
{
    (void)data;
    end(moil_run_retry(run, 0, "NEVER", "not even then"));
}

static void reject(moil_run *run, void *data)
{
    (void)data;
    end(moil_run_reject(run, "no such customer"));
}

static void ignore(moil_run *run, void *data)
{
    (void)data;
    end(moil_run_ignore(run));
}

/* The worker that it runs in loads its tasks anew. */
static void reload(moil_run *run, void *data)
{
    char errstr[256];
    (void)data;
    end(moil_worker_reload(slots[0].worker, errstr, sizeof errstr));
    if (moil_task_register(tasks, "c.late", NULL, reload, NULL) != MOIL_STATUS_STATE)
        abort();
    end(moil_run_succeed(run, "true"));
}

static void turns_so_far(moil_run *run, void *data)
{
    char text[32];
    (void)data;
    snprintf(text, sizeof text, "%lu", turns);
    end(moil_run_succeed(run, text));
}

/* The worker that it runs in is closed. */
static void close_own(moil_run *run, void *data)
{
    (void)data;
    moil_worker_close(slots[0].worker);
    moil_worker_close(slots[0].worker);
    memset(&slots[0], 0, sizeof slots[0]);
    end(moil_run_succeed(run, "true"));
    say("closed", "");
}

/* Two runs that end each other: the second one's function ends the first. */
static moil_run *first;

static void pair(moil_run *run, void *data)
{
    (void)data;
    if (!first) {
        first = run;
        return;
    }
    end(moil_run_succeed(first, "1"));
    first = NULL;
    end(moil_run_succeed(run, "2"));
}

static void block(moil_run *run, void *data)
{
    json_t *args = json_loads(moil_run_args(run, NULL), 0, NULL);
    double s = json_number_value(json_array_get(args, 0));
    struct timespec time = {.tv_sec = (time_t)s, .tv_nsec = (long)((s - (double)(time_t)s) * 1e9)};
    (void)data;
    json_decref(args);
    nanosleep(&time, NULL);
    end(moil_run_succeed(run, NULL));
}

static void make_tasks(void)
{
    static const struct {
        const char *name, *options;
        moil_task_fn *fn;
    } list[] = {
        {"c.add", NULL, add},
        {"c.show", "{\"queue\": \"shown\"}", show},
        {"c.hooked", NULL, show},
        {"c.later", NULL, later},
        {"c.short", "{\"time_limit\": 0.2}", later},
        {"c.soft", "{\"soft_time_limit\": 0.2}", later},
        {"c.steps", NULL, steps},
        {"c.bad", "{\"retry\": {\"policy\": \"fixed\", \"max\": 1, \"delay\": 0}}", bad},
        {"c.again", NULL, again},
        {"c.never", NULL, never},
        {"c.reject", NULL, reject},
        {"c.ignore", NULL, ignore},
        {"c.pair", NULL, pair},
        {"c.reload", NULL, reload},
        {"c.block", NULL, block},
        {"c.turns", NULL, turns_so_far},
        {"c.close", NULL, close_own},
    };
    end(moil_tasks_new(&tasks));
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        end(moil_task_register(tasks, list[i].name, list[i].options, list[i].fn, NULL));
    if (moil_task_register(tasks, "c.add", NULL, add, NULL) != MOIL_STATUS_INVALID ||
        moil_task_register(tasks, "moil.x", NULL, add, NULL) != MOIL_STATUS_INVALID ||
        moil_task_register(tasks, "c x", NULL, add, NULL) != MOIL_STATUS_INVALID ||
        moil_task_register(tasks, "c.x", "[]", add, NULL) != MOIL_STATUS_INVALID)
        abort();
}

/* --- commands --------------------------------------------------------------------------------- */

static void on_ready(void *data)
{
    say("ready", ((struct slot *)data)->name);
}

static void on_stopped(void *data)
{
    struct slot *s = data;
    say("stopped", s->name);
    moil_worker_close(s->worker);
    memset(s, 0, sizeof *s);
}

static struct slot *find(const char *name)
{
    for (int i = 0; i < WORKERS; i++)
        if (strcmp(slots[i].name, name) == 0)
            return &slots[i];
    return NULL;
}

static void set(moil_worker_options *o, const char *word)
{
    const char *value = strchr(word, '=') + 1;
    if (strncmp(word, "name=", 5) == 0)
        o->name = value;
    else if (strncmp(word, "queues=", 7) == 0)
        o->queues = value;
    else if (strncmp(word, "lease=", 6) == 0)
        o->lease = atof(value);
    else if (strncmp(word, "time_limit=", 11) == 0)
        o->time_limit = atof(value);
    else if (strncmp(word, "concurrency=", 12) == 0)
        o->concurrency = atoi(value);
    else if (strncmp(word, "max_memory=", 11) == 0)
        o->max_memory = atof(value);
    else if (strncmp(word, "result_ttl=", 11) == 0)
        o->result_ttl = atof(value);
    else if (strncmp(word, "config=", 7) == 0)
        o->config_json = value;
    else if (strncmp(word, "tasks=", 6) == 0)
        o->tasks = NULL;
    else if (strncmp(word, "agentless=", 10) == 0)
        o->agentless = 1;
}

static int open_worker(struct slot *s, char **words, int count, char *errstr, size_t errlen)
{
    const char *paths[] = {strcmp(words[3], "-") == 0 ? NULL : words[3], NULL};
    moil_worker_options o = {.url = url,
                             .paths = paths,
                             .tasks = tasks,
                             .on_ready = on_ready,
                             .data = s,
                             .limits = strcmp(words[2], "hook") == 0     ? MOIL_LIMITS_HOOK
                                       : strcmp(words[2], "signal") == 0 ? MOIL_LIMITS_SIGNAL
                                                                         : MOIL_LIMITS_NONE};
    for (int i = 4; i < count; i++)
        set(&o, words[i]);
    snprintf(s->name, sizeof s->name, "%s", words[1]);
    int err = moil_worker_open(&s->worker, loop, &o, errstr, errlen);
    if (err)
        memset(s, 0, sizeof *s);
    return err;
}

static void stall(const char *path)
{
    while (access(path, F_OK) != 0)
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
}

static int steer(struct slot *s, const char *how, char *errstr, size_t errlen)
{
    if (strcmp(how, "reload") == 0)
        return moil_worker_reload(s->worker, errstr, errlen);
    if (strcmp(how, "quiet") == 0)
        moil_worker_quiet(s->worker, 1);
    else if (strcmp(how, "resume") == 0)
        moil_worker_quiet(s->worker, 0);
    else if (strcmp(how, "stop") == 0 || strcmp(how, "cold") == 0)
        moil_worker_stop(s->worker, how[0] == 'c', on_stopped, s);
    else if (strcmp(how, "close") == 0)
        moil_worker_close(s->worker);
    if (strcmp(how, "close") == 0)
        memset(s, 0, sizeof *s);
    return 0;
}

static void obey(char *line)
{
    char *words[WORDS + 1] = {0}, errstr[512] = "", answer[600], *save = NULL;
    int count = 0, err = 0;
    for (char *w = strtok_r(line, " ", &save); w && count < WORDS; w = strtok_r(NULL, " ", &save))
        words[count++] = w;
    if (count == 0)
        return;
    const char *name = words[1] ? words[1] : "";
    struct slot *s = find(words[0][0] == 'o' ? "" : name);
    if (strcmp(words[0], "quit") == 0)
        ev_break(loop, EVBREAK_ALL);
    else if (strcmp(words[0], "stall") == 0)
        stall(name);
    else if (strcmp(words[0], "open") == 0 && count >= 4 && s)
        err = open_worker(s, words, count, errstr, sizeof errstr);
    else if (s && s->worker)
        err = steer(s, words[0], errstr, sizeof errstr);
    if (err)
        snprintf(answer, sizeof answer, "%d %s", err, errstr);
    else
        snprintf(answer, sizeof answer, "ok %s %s", words[0], name);
    puts(answer);
    fflush(stdout);
}

static void input_cb(struct ev_loop *l, ev_io *io, int events)
{
    static char text[65536];
    static size_t len;
    char *end_of_line;
    (void)events;
    ssize_t n = read(io->fd, text + len, sizeof text - 1 - len);
    if (n <= 0) {
        ev_io_stop(l, io);
        ev_break(l, EVBREAK_ALL);
        return;
    }
    len += (size_t)n;
    text[len] = '\0';
    while ((end_of_line = strchr(text, '\n'))) {
        *end_of_line = '\0';
        obey(text);
        len -= (size_t)(end_of_line + 1 - text);
        memmove(text, end_of_line + 1, len + 1);
    }
}

static void turn_cb(struct ev_loop *l, ev_check *check, int events)
{
    (void)l, (void)check, (void)events;
    turns++;
}

static int run_all(const char *path, const char *name)
{
    const char *paths[] = {path, NULL};
    make_tasks();
    int status = moil_runtime_run(&(moil_runtime_options){.url = url,
                                                          .paths = paths,
                                                          .name = name,
                                                          .queues = "runtime",
                                                          .workers = 2,
                                                          .tasks = tasks});
    moil_tasks_free(tasks);
    return status;
}

static void make_loop(const char *kind)
{
    bool ignores = strcmp(kind, "ignored") == 0;
    if (strcmp(kind, "checked") == 0)
        moil_set_allocator(allocate, NULL);
    loop = ignores || strcmp(kind, "default") == 0 ? ev_default_loop(0) : ev_loop_new(0);
    if (ignores)
        signal(SIGCHLD, SIG_IGN);
}

static int run_loop(void)
{
    ev_io input;
    ev_check check;
    srand48(SEED);
    make_tasks();
    ev_io_init(&input, input_cb, 0, EV_READ);
    ev_io_start(loop, &input);
    ev_check_init(&check, turn_cb);
    ev_check_start(loop, &check);
    say("up", moil_version());
    ev_run(loop, 0);
    ev_check_stop(loop, &check);
    ev_io_stop(loop, &input);
    for (int i = 0; i < WORKERS; i++)
        moil_worker_close(slots[i].worker);
    moil_tasks_free(tasks);
    ev_loop_destroy(loop);
    if (blocks != 0)
        fprintf(stderr, "%ld blocks are left\n", blocks);
    unsigned short lot[3] = {0x330e, SEED, 0};
    bool drew = erand48(lot) != drand48();
    if (drew)
        fputs("somebody drew of the program's random numbers\n", stderr);
    say("bye", "");
    return blocks != 0 || drew;
}

static _Atomic bool is_over;

static void *run_thread(void *status)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    *(int *)status = run_loop();
    is_over = true;
    return NULL;
}

/* While the first one is not to be disturbed. */
static int run_in_thread(void)
{
    pthread_t thread;
    int status = 1, disturbed = 0;
    if (pthread_create(&thread, NULL, run_thread, &status) != 0)
        return 1;
    while (!is_over)
        disturbed += nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL) != 0;
    pthread_join(thread, NULL);
    return status || disturbed;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    url = argv[1];
    if (argc == 5)
        return run_all(argv[3], argv[4]);
    make_loop(argv[2]);
    return strcmp(argv[2], "thread") == 0 ? run_in_thread() : run_loop();
}
