/* A node whose children play a script: what spec/super/ drives the supervisor with.
 * Built as build/spec/super_probe.
 *
 *   super_probe [--workers N] [--burst 1] [--timeout MS] [--pidfile PATH] [--embedded DIR]
 *               [--ready LINE] [--terminal 1] [--silence MS] [--load MS] [--check SCRIPT] [--agent
 * SCRIPT]
 *               [--worker SCRIPT] [--worker1 SCRIPT] … [--worker9 SCRIPT]
 *
 * A script is a list of steps with commas between them, after which the child waits for what it
 * is told:
 *
 *   ready        from here on signals are waited for; writes the ready byte
 *   page:A:B     incarnation A and the job on the CPU B go to its page
 *   loaded       its page says that it has loaded its tasks
 *   late:A       two jobs, A1 and A2, take turns on the CPU for ever, and are past their limit
 *   after:MS     lets the time pass
 *   raise:N      sends itself a signal
 *   exit:N       leaves with that status
 *   once:FILE    skips the rest if FILE is there, and makes it if not: so a restarted child lives
 *   many:FILE:N  as once, but skips after N times
 *   given:FILE   skips the rest unless FILE is there
 *   loop         uses the CPU for ever
 *   write:N      writes N bytes to the ready pipe
 *   status       says what it has inherited
 *   spawn        starts a child of its own that would outlive it
 *   pulse        gives a sign of life every 20 ms while it waits
 *   silent       gives none any more
 *   hold         says whether its page holds a burst, now and at each signal
 *   stubborn     SIGTERM is noted only
 *   deaf         SIGQUIT too
 *
 * Children say on stdout what happens to them, a line each, their name first. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "super/super.h"

struct scripts {
    const char *check, *agent, *worker, *workers[10];
    int inherited_fds; /* of the program */
};

struct actor {
    struct child_context *context;
    char name[16];
    bool stubborn, deaf, pulse, tells_hold;
    int signal_fd;
};

#define say(a, ...) say_line((a)->name, __VA_ARGS__)

static void say_line(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say_line(const char *name, const char *fmt, ...)
{
    char line[1024];
    int n = snprintf(line, sizeof line, "%s ", name);
    va_list args;
    va_start(args, fmt);
    n += vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, args);
    va_end(args);
    line[n++] = '\n';
    if (write(STDOUT_FILENO, line, (size_t)n) != n)
        _exit(99);
}

/* --- steps ------------------------------------------------------------------------------------ */

static void get_ready(struct actor *a)
{
    sigset_t set;
    sigemptyset(&set);
    for (const int *sig = (const int[]){SIGTERM, SIGQUIT, SIGTSTP, SIGCONT, SIGUSR1, 0}; *sig;
         sig++)
        sigaddset(&set, *sig);
    sigprocmask(SIG_BLOCK, &set, NULL);
    a->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (a->context->page)
        atomic_store(&a->context->page->ready, 1);
    say(a, "ready");
    if (write(a->context->ready_fd, "", 1) != 1)
        _exit(98);
}

static void write_page(struct actor *a, const char *words)
{
    struct page *page = a->context->page;
    const char *colon = strchr(words, ':');
    if (!colon)
        _exit(96);
    snprintf(page->incarnation, sizeof page->incarnation, "%.*s", (int)(colon - words), words);
    snprintf(page->on_cpu, sizeof page->on_cpu, "%s", colon + 1);
}

/* Each turn ends by one byte, so that whoever looks sees one of the two. */
static void take_turns(struct actor *a, const char *name)
{
    struct page *page = a->context->page;
    size_t n = strlen(name);
    snprintf(page->on_cpu, sizeof page->on_cpu, "%s1", name);
    atomic_store(&page->hard_deadline_us, 1000);
    for (volatile char *last = page->on_cpu + n;; *last = *last == '1' ? '2' : '1')
        usleep(20);
}

/* True when the file has been made `times` times already. */
static bool was_there(const char *path, int times)
{
    FILE *f = fopen(path, "a+");
    if (!f)
        _exit(97);
    fseek(f, 0, SEEK_END);
    bool there = ftell(f) >= times;
    if (!there)
        fputc('x', f);
    fclose(f);
    return there;
}

static bool was_often_there(char *path_and_times)
{
    char *times = strchr(path_and_times, ':');
    if (!times)
        _exit(96);
    *times++ = '\0';
    return was_there(path_and_times, atoi(times));
}

static void write_bytes(struct actor *a, long n)
{
    static char block[4096];
    memset(block, 'r', sizeof block);
    while (n > 0) {
        ssize_t written = write(a->context->ready_fd, block, n < 4096 ? (size_t)n : sizeof block);
        if (written <= 0)
            _exit(96);
        n -= written;
    }
}

static int count_fds(void)
{
    int fds = -3; /* ".", ".." and the folder itself */
    DIR *dir = opendir("/proc/self/fd");
    while (dir && readdir(dir))
        fds++;
    if (dir)
        closedir(dir);
    return fds;
}

static void say_status(struct actor *a)
{
    char line[256];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, "SigBlk", 6) == 0 || strncmp(line, "SigIgn", 6) == 0 ||
            strncmp(line, "SigCgt", 6) == 0)
            say(a, "%.6s %.16s", line, line + 8);
    }
    if (f)
        fclose(f);
    const struct scripts *scripts = a->context->data;
    say(a, "systemd %d",
        getenv("NOTIFY_SOCKET") || getenv("WATCHDOG_USEC") || getenv("WATCHDOG_PID"));
    say(a, "fds +%d group %d", count_fds() - scripts->inherited_fds, getpgrp() == getpid());
}

static void say_hold(struct actor *a)
{
    a->tells_hold = true;
    say(a, "hold %u", atomic_load(&a->context->page->hold));
}

static void spawn_orphan(struct actor *a)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            pause();
    }
    say(a, "spawned %d", (int)pid);
}

/* Plays one step; false: the rest is skipped. */
static bool play(struct actor *a, char *step)
{
    char *arg = strchr(step, ':');
    if (arg)
        *arg++ = '\0';
    else
        arg = step + strlen(step);
    if (strcmp(step, "ready") == 0)
        get_ready(a);
    else if (strcmp(step, "page") == 0)
        write_page(a, arg);
    else if (strcmp(step, "loaded") == 0)
        atomic_store(&a->context->page->loaded, 1);
    else if (strcmp(step, "late") == 0)
        take_turns(a, arg);
    else if (strcmp(step, "after") == 0)
        poll(NULL, 0, atoi(arg));
    else if (strcmp(step, "raise") == 0)
        raise(atoi(arg));
    else if (strcmp(step, "exit") == 0)
        _exit(atoi(arg));
    else if (strcmp(step, "once") == 0)
        return !was_there(arg, 1);
    else if (strcmp(step, "many") == 0)
        return !was_often_there(arg);
    else if (strcmp(step, "given") == 0)
        return access(arg, F_OK) == 0;
    else if (strcmp(step, "loop") == 0)
        for (volatile unsigned n = 0;; n++) {}
    else if (strcmp(step, "write") == 0)
        write_bytes(a, atol(arg));
    else if (strcmp(step, "status") == 0)
        say_status(a);
    else if (strcmp(step, "spawn") == 0)
        spawn_orphan(a);
    else if (strcmp(step, "pulse") == 0)
        a->pulse = true;
    else if (strcmp(step, "silent") == 0)
        a->pulse = false;
    else if (strcmp(step, "hold") == 0)
        say_hold(a);
    else if (strcmp(step, "stubborn") == 0)
        a->stubborn = true;
    else if (strcmp(step, "deaf") == 0)
        a->stubborn = a->deaf = true;
    else
        _exit(95);
    return true;
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void say_pages(struct actor *a)
{
    for (int slot = 0; slot < moil_context_slots(a->context); slot++) {
        struct page *page = moil_context_page(a->context, slot);
        say(a, "page %d ready %u [%s] [%s]", slot, atomic_load(&page->ready), page->incarnation,
            page->on_cpu);
    }
    say(a, "pages %d", moil_context_slots(a->context));
}

static void heed(struct actor *a, int sig)
{
    say(a, "got %s", sigabbrev_np(sig));
    if (a->tells_hold)
        say_hold(a);
    if (sig == SIGUSR1 && a->context->role == ROLE_AGENT)
        say_pages(a);
    if ((sig == SIGTERM && !a->stubborn) || (sig == SIGQUIT && !a->deaf))
        _exit(0);
}

static void say_words(struct actor *a)
{
    char text[4096];
    ssize_t n = read(a->context->word_fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        say(a, "word %s", line);
}

static void wait_for_orders(struct actor *a)
{
    for (;;) {
        struct pollfd fds[2] = {{a->signal_fd, POLLIN, 0}, {a->context->word_fd, POLLIN, 0}};
        int n = poll(fds, 2, a->pulse ? 20 : -1);
        if (a->pulse)
            atomic_store(&a->context->pulse->heartbeat_us, moil_clock_monotonic_us());
        if (n < 0)
            continue;
        struct signalfd_siginfo info;
        if (fds[1].revents)
            say_words(a);
        if (fds[0].revents && read(a->signal_fd, &info, sizeof info) == sizeof info)
            heed(a, (int)info.ssi_signo);
    }
}

static const char *script_of(const struct child_context *context)
{
    const struct scripts *scripts = context->data;
    if (context->role == ROLE_CHECK)
        return scripts->check;
    if (context->role == ROLE_AGENT)
        return scripts->agent;
    const char *own = context->slot < 9 ? scripts->workers[context->slot + 1] : NULL;
    return own ? own : scripts->worker;
}

static int act(struct child_context *context)
{
    static const char *const roles[] = {"check", "agent", "worker"};
    struct actor a = {.context = context, .signal_fd = -1};
    snprintf(a.name, sizeof a.name, "%s%d", roles[context->role],
             context->role == ROLE_WORKER ? context->slot + 1 : 0);
    struct buffer report;
    int of = 0;
    moil_buffer_init(&report);
    moil_context_report(context, &report, &of);
    say(&a, "pid %d result %zu [%s] generation %d", (int)getpid(), report.len,
        context->page ? context->page->incarnation : "", context->generation);
    moil_buffer_fini(&report);
    if (context->quiet)
        say(&a, "begins quiet");
    char script[1024];
    snprintf(script, sizeof script, "%s", script_of(context));
    char *rest = script, *step;
    while ((step = strsep(&rest, ",")) != NULL) {
        if (*step && !play(&a, step))
            break;
    }
    if (context->role == ROLE_CHECK)
        return 0;
    if (a.signal_fd < 0)
        get_ready(&a);
    wait_for_orders(&a);
    return 0;
}

/* --- the program ------------------------------------------------------------------------------ */

/* The next terminal that a session leader opens becomes its controlling one. */
static void open_terminal(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 ||
        open(ptsname(master), O_RDWR | O_CLOEXEC) < 0)
        exit(93);
}

static void parse(char **argv, struct super_options *o, struct scripts *scripts)
{
    for (; argv[0] && argv[1]; argv += 2) {
        const char *name = argv[0] + 2, *value = argv[1];
        if (strcmp(name, "workers") == 0)
            o->plan.workers = atoi(value);
        else if (strcmp(name, "burst") == 0)
            o->burst = atoi(value) != 0;
        else if (strcmp(name, "timeout") == 0)
            o->plan.shutdown_timeout_ms = atoi(value);
        else if (strcmp(name, "silence") == 0)
            o->agent_silence_ms = atoi(value);
        else if (strcmp(name, "load") == 0)
            o->load_ms = atoi(value);
        else if (strcmp(name, "pidfile") == 0)
            o->pidfile = value;
        else if (strcmp(name, "embedded") == 0)
            o->embedded_dir = value;
        else if (strcmp(name, "ready") == 0)
            o->ready_line = value;
        else if (strcmp(name, "terminal") == 0)
            open_terminal();
        else if (strcmp(name, "check") == 0)
            scripts->check = value;
        else if (strcmp(name, "agent") == 0)
            scripts->agent = value;
        else if (strcmp(name, "worker") == 0)
            scripts->worker = value;
        else if (strncmp(name, "worker", 6) == 0)
            scripts->workers[name[6] - '0'] = value;
        else
            exit(94);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    struct scripts scripts = {.check = "", .agent = "", .worker = "", .inherited_fds = count_fds()};
    struct super_options options = {
        .plan = {.workers = 2, .shutdown_timeout_ms = 10000, .log_level = -1},
        .agent_fd = -1,
        .child = act,
        .data = &scripts};
    parse(argv + 1, &options, &scripts);
    moil_log_open(&(struct log_options){.level = LOG_DEBUG, .format = LOG_TEXT});
    return moil_super_run(&options);
}
