/* Starting, watching and stopping the private redis-server. See embedded.h. */
#include "super/embedded.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "super/child.h"

enum {
    START_MS = 10000,
    STOP_MS = 10000,
    STEP_FAST_MS = 2,  /* a server on an empty folder accepts after some 10 ms */
    STEP_SLOW_MS = 20, /* after FAST_MS */
    FAST_MS = 200,
    SOCKET_PATH_MAX = 100, /* sun_path has 108 bytes with its NUL, and 104 elsewhere */
    LOG_MAX = 1024 * 1024, /* an older log is dropped at start */
    LOCK_FD = 3,           /* in the server */
};

#define BIT(s) (1u << (s))

static const unsigned allowed_moves[EMBEDDED_STATES] = {
    [EMBEDDED_OFF] = BIT(EMBEDDED_STARTING) | BIT(EMBEDDED_DOWN) | BIT(EMBEDDED_OFF),
    [EMBEDDED_STARTING] =
        BIT(EMBEDDED_UP) | BIT(EMBEDDED_DOWN) | BIT(EMBEDDED_STOPPING) | BIT(EMBEDDED_OFF),
    [EMBEDDED_UP] = BIT(EMBEDDED_DOWN) | BIT(EMBEDDED_STOPPING) | BIT(EMBEDDED_OFF),
    [EMBEDDED_DOWN] = BIT(EMBEDDED_STARTING) | BIT(EMBEDDED_DOWN) | BIT(EMBEDDED_OFF),
    [EMBEDDED_STOPPING] = BIT(EMBEDDED_OFF),
};

static void set_state(struct embedded *e, enum embedded_state state, int64_t due_ms)
{
    assert(allowed_moves[e->state] & BIT(state));
    e->state = state;
    e->due_ms = due_ms;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void moil_embedded_init(struct embedded *e, const char *dir)
{
    *e = (struct embedded){.dir = dir, .state = EMBEDDED_OFF, .dir_fd = -1, .watch_fd = -1};
}

void moil_embedded_fini(struct embedded *e)
{
    close_fd(&e->watch_fd);
    close_fd(&e->dir_fd);
}

static void go_down(struct embedded *e, int64_t now_ms)
{
    close_fd(&e->watch_fd);
    int64_t lived_ms = now_ms - e->started_ms;
    set_state(e, EMBEDDED_DOWN, now_ms + moil_backoff_death(&e->backoff, lived_ms));
}

/* --- the folder ------------------------------------------------------------------------------- */

/* Makes it where it is missing; refuses one that others may look into, since the socket has no
 * password. */
static int open_dir(struct embedded *e, char *errstr, size_t errlen)
{
    close_fd(&e->dir_fd);
    if (mkdir(e->dir, 0700) != 0 && errno != EEXIST) {
        snprintf(errstr, errlen, "cannot make the folder %s: %s", e->dir, strerror(errno));
        return MOIL_ESYS;
    }
    int fd = open(e->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        snprintf(errstr, errlen, "cannot open the folder %s: %s", e->dir, strerror(errno));
        close_fd(&fd);
        return MOIL_ESYS;
    }
    if (st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
        if (st.st_uid != geteuid())
            snprintf(errstr, errlen, "%s belongs to another user: name a folder of your own",
                     e->dir);
        else
            snprintf(errstr, errlen, "%s is open to other users: chmod 700 %s", e->dir, e->dir);
        close(fd);
        return MOIL_EINVAL;
    }
    e->dir_fd = fd;
    return 0;
}

/* The lock's descriptor, or -1: somebody holds it (errno EWOULDBLOCK), or it cannot be opened. */
static int take_lock(const struct embedded *e)
{
    int fd = openat(e->dir_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static void drop_stale_socket(const struct embedded *e)
{
    int fd = take_lock(e);
    if (fd < 0) /* somebody has started the next server: the socket is its */
        return;
    unlinkat(e->dir_fd, "redis.sock", 0);
    close(fd);
}

static int socket_path(const char *dir, int dir_fd, char *out, size_t len)
{
    int n = snprintf(out, len, "%s/redis.sock", dir);
    if (n > SOCKET_PATH_MAX)
        n = snprintf(out, len, "/proc/self/fd/%d/redis.sock", dir_fd);
    return n >= 0 && (size_t)n < len ? 0 : MOIL_EINVAL;
}

int moil_embedded_socket(const char *dir, char *out, size_t len)
{
    int fd = -1;
    if (strlen(dir) + strlen("/redis.sock") > SOCKET_PATH_MAX) {
        fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            return MOIL_ESYS;
    }
    return socket_path(dir, fd, out, len);
}

/* --- the server ------------------------------------------------------------------------------- */

static bool find_in_path(const char *name, char *out, size_t len)
{
    const char *path = getenv("PATH");
    if (!path || !*path)
        path = "/usr/local/bin:/usr/bin:/bin";
    while (*path) {
        size_t n = strcspn(path, ":");
        int written = snprintf(out, len, "%.*s/%s", (int)n, path, name);
        /* Relative ones are left out: the server runs in another folder. */
        if (*path == '/' && (size_t)written < len && access(out, X_OK) == 0)
            return true;
        path += n + (path[n] == ':');
    }
    return false;
}

static _Noreturn void exec_server(const struct embedded *e, const char *program, int lock_fd)
{
    /* clang-format off */
    const char *const argv[] = {
        program,
        "--port", "0",
        "--unixsocket", "redis.sock",
        "--unixsocketperm", "700",
        "--daemonize", "no",
        "--logfile", "redis.log",
        "--save", "",
        "--appendonly", "yes",
        "--appendfsync", "everysec",
        "--maxmemory-policy", "noeviction",
        NULL,
    };
    /* clang-format on */
    umask(077);
    /* What it says before it has read its options goes to the log too: it may be why it ends. */
    int log = openat(e->dir_fd, "redis.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct stat st;
    if (log < 0 || (fstat(log, &st) == 0 && st.st_size > LOG_MAX && ftruncate(log, 0) != 0))
        _exit(126);
    if (dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0 || fchdir(e->dir_fd) != 0)
        _exit(126);
    if (lock_fd == LOCK_FD)
        fcntl(lock_fd, F_SETFD, 0);
    else if (dup2(lock_fd, LOCK_FD) < 0)
        _exit(126);
    close_range(LOCK_FD + 1, ~0U, 0);
    execv(program, (char *const *)argv);
    dprintf(STDERR_FILENO, "cannot run %s: %s\n", program, strerror(errno));
    _exit(127);
}

static int launch(struct embedded *e, int lock_fd, char *errstr, size_t errlen)
{
    char program[4096];
    if (!find_in_path("redis-server", program, sizeof program) &&
        !find_in_path("valkey-server", program, sizeof program)) {
        snprintf(errstr, errlen,
                 "no redis-server in PATH: install the package redis-server (or "
                 "valkey-server), or name a server with --redis URL");
        return MOIL_EINVAL;
    }
    /* A clean shutdown when the supervisor dies: nobody would be left to stop it, and who is
     * attached starts it anew. */
    pid_t pid = moil_child_fork(SIGTERM);
    if (pid == 0)
        exec_server(e, program, lock_fd);
    if (pid < 0) {
        snprintf(errstr, errlen, "cannot fork for redis-server: %s", strerror(errno));
        return MOIL_ESYS;
    }
    e->pid = pid;
    return 0;
}

/* Starts the server if the lock is free. 0 also when somebody else holds it. */
static int launch_or_attach(struct embedded *e, char *errstr, size_t errlen)
{
    int lock_fd = take_lock(e);
    if (lock_fd < 0 && errno == EWOULDBLOCK)
        return 0;
    if (lock_fd < 0) {
        snprintf(errstr, errlen, "cannot lock %s/lock: %s", e->dir, strerror(errno));
        return MOIL_ESYS;
    }
    int rc = launch(e, lock_fd, errstr, errlen);
    close(lock_fd); /* the server has its own copy */
    return rc;
}

/* A connection to the server, or -1 while it does not accept. */
static int dial(const struct embedded *e)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (socket_path(e->dir, e->dir_fd, sa.sun_path, sizeof sa.sun_path) != 0)
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0)
        close_fd(&fd);
    return fd;
}

/* The last line of the server's log without its "pid:role time mark" prefix; "" when there is none.
 */
static void last_log_line(const struct embedded *e, char *out, size_t len)
{
    char tail[1024];
    out[0] = '\0';
    int fd = openat(e->dir_fd, "redis.log", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    off_t size = lseek(fd, 0, SEEK_END);
    off_t from = size > (off_t)sizeof tail - 1 ? size - (off_t)sizeof tail + 1 : 0;
    ssize_t n = pread(fd, tail, sizeof tail - 1, from);
    close(fd);
    while (n > 0 && (tail[n - 1] == '\n' || tail[n - 1] == ' '))
        n--;
    tail[n > 0 ? n : 0] = '\0';
    char *line = strrchr(tail, '\n');
    line = line ? line + 1 : tail;
    char *mark = strpbrk(line, "#*");
    if (mark && mark > line && mark - line < 48 && mark[-1] == ' ' && mark[1] == ' ')
        line = mark + 2;
    snprintf(out, len, "%.*s", (int)len - 1, line);
}

/* --- its life --------------------------------------------------------------------------------- */

int moil_embedded_start(struct embedded *e, int64_t now_ms, char *errstr, size_t errlen)
{
    e->started_ms = now_ms;
    int rc = open_dir(e, errstr, errlen);
    if (rc == 0)
        rc = launch_or_attach(e, errstr, errlen);
    if (rc == 0)
        set_state(e, EMBEDDED_STARTING, now_ms + START_MS);
    else
        go_down(e, now_ms);
    return rc;
}

/* One PING on the watched connection. The socket accepts before the server has read its data, and
 * it may die of them; 1: it serves, 0: not yet. */
static int ping(struct embedded *e)
{
    char reply[64];
    if (e->watch_fd < 0) {
        e->watch_fd = dial(e);
        if (e->watch_fd < 0 || write(e->watch_fd, "PING\r\n", 6) != 6) {
            close_fd(&e->watch_fd);
            return 0;
        }
    }
    ssize_t n = read(e->watch_fd, reply, sizeof reply);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n > 0 && memcmp(reply, "-L", 2) != 0) /* any answer but -LOADING */
        return 1;
    close_fd(&e->watch_fd);
    return 0;
}

static int give_up(struct embedded *e, int64_t now_ms, char *errstr, size_t errlen)
{
    snprintf(errstr, errlen,
             "the private redis-server in %s did not accept connections within %d s: see "
             "%s/redis.log",
             e->dir, START_MS / 1000, e->dir);
    if (e->pid > 0) {
        kill(e->pid, SIGKILL); /* it is DOWN when it is reaped */
        e->due_ms = now_ms + START_MS;
    } else {
        go_down(e, now_ms);
    }
    return MOIL_ETIMEOUT;
}

static int step_starting(struct embedded *e, int64_t now_ms, char *errstr, size_t errlen)
{
    bool late = now_ms >= e->due_ms;
    /* One that still loads by then is left to those who ask it: they are told so. */
    if (ping(e) || (late && e->watch_fd >= 0)) {
        if (e->pid > 0)
            close_fd(&e->watch_fd);
        set_state(e, EMBEDDED_UP, 0);
        return 0;
    }
    if (late)
        return give_up(e, now_ms, errstr, errlen);
    if (e->pid > 0)
        return 0;
    int rc = launch_or_attach(e, errstr, errlen); /* the one that held the lock may be gone */
    if (rc != 0)
        go_down(e, now_ms);
    return rc;
}

int moil_embedded_step(struct embedded *e, int64_t now_ms, char *errstr, size_t errlen)
{
    switch (e->state) {
    case EMBEDDED_STARTING:
        return step_starting(e, now_ms, errstr, errlen);
    case EMBEDDED_DOWN:
        return now_ms >= e->due_ms ? moil_embedded_start(e, now_ms, errstr, errlen) : 0;
    case EMBEDDED_STOPPING:
        if (now_ms >= e->due_ms) {
            kill(e->pid, SIGKILL);
            e->due_ms = now_ms + STOP_MS;
        }
        return 0;
    case EMBEDDED_OFF:
    case EMBEDDED_UP:
    case EMBEDDED_STATES:
        break;
    }
    return 0;
}

int64_t moil_embedded_next_ms(const struct embedded *e, int64_t now_ms)
{
    if (e->state == EMBEDDED_STARTING)
        return now_ms + (now_ms - e->started_ms < FAST_MS ? STEP_FAST_MS : STEP_SLOW_MS);
    return e->due_ms;
}

void moil_embedded_reaped(struct embedded *e, int wait_status, int64_t now_ms, char *errstr,
                          size_t errlen)
{
    char reason[256];
    errstr[0] = '\0';
    e->pid = 0;
    if (e->state == EMBEDDED_STOPPING) {
        drop_stale_socket(e);
        set_state(e, EMBEDDED_OFF, 0);
        return;
    }
    close_fd(&e->watch_fd);
    last_log_line(e, reason, sizeof reason);
    if (e->state == EMBEDDED_STARTING)
        snprintf(errstr, errlen, "the private redis-server in %s did not start: %s", e->dir,
                 reason[0] ? reason : "it left no reason");
    else if (WIFSIGNALED(wait_status))
        snprintf(errstr, errlen, "the private redis-server in %s was killed by signal %d (%s)",
                 e->dir, WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
    else
        snprintf(errstr, errlen, "the private redis-server in %s exited with status %d: %s", e->dir,
                 WEXITSTATUS(wait_status), reason);
    go_down(e, now_ms);
}

void moil_embedded_lost(struct embedded *e, int64_t now_ms)
{
    char late[64];
    if (e->state != EMBEDDED_UP || read(e->watch_fd, late, sizeof late) > 0)
        return; /* a late answer */
    go_down(e, now_ms);
}

void moil_embedded_stop(struct embedded *e, int64_t now_ms)
{
    close_fd(&e->watch_fd);
    if (e->pid > 0 && e->state != EMBEDDED_STOPPING) {
        kill(e->pid, SIGTERM);
        set_state(e, EMBEDDED_STOPPING, now_ms + STOP_MS);
    } else if (e->pid == 0 && e->state != EMBEDDED_OFF) {
        set_state(e, EMBEDDED_OFF, 0);
    }
}
