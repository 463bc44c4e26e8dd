/* Child processes: start, wait, signal; and that none outlives the spec run.
 *
 * What spawn starts is killed at exit if it still runs, however the run ends. This process adopts
 * orphans (subreaper), so that grandchildren whose parent was killed can be found. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "native.h"

enum { CHILDREN_MAX = 4096, ARGS_MAX = 512 };

static struct {
    pid_t owner;
    pid_t pids[CHILDREN_MAX];
    int count;
} children;

static void kill_children(void)
{
    if (getpid() != children.owner) {
        return;
    }
    for (int i = 0; i < children.count; i++) {
        kill(children.pids[i], SIGKILL);
        waitpid(children.pids[i], NULL, 0);
    }
    children.count = 0;
}

static void forget_child(pid_t pid)
{
    for (int i = 0; i < children.count; i++) {
        if (children.pids[i] == pid) {
            children.pids[i] = children.pids[--children.count];
            return;
        }
    }
}

/* --- spawn
 * --------------------------------------------------------------------------------------------- */

struct plan {
    const char *argv[ARGS_MAX];
    const char *env[ARGS_MAX];
    const char *cwd;
    int fds[3];
};

/* Field `name` of the table at 1, a list of strings, as an argv. They stay alive with the table.
 * [-0, +0, e] */
static void read_list(lua_State *L, const char *name, const char **out)
{
    lua_Integer n;

    lua_getfield(L, 1, name); /* list */
    luaL_checktype(L, -1, LUA_TTABLE);
    n = luaL_len(L, -1);
    luaL_argcheck(L, n < ARGS_MAX, 1, "too many strings");
    for (lua_Integer i = 0; i < n; i++) {
        lua_geti(L, -1, i + 1); /* list string */
        out[i] = lua_tostring(L, -1);
        luaL_argcheck(L, out[i] && lua_type(L, -1) == LUA_TSTRING, 1, "only strings");
        lua_pop(L, 1); /* list */
    }
    out[n] = NULL;
    lua_pop(L, 1);
}

static void read_plan(lua_State *L, struct plan *plan)
{
    read_list(L, "argv", plan->argv);
    read_list(L, "env", plan->env);
    lua_getfield(L, 1, "cwd"); /* cwd */
    plan->cwd = luaL_optstring(L, -1, NULL);
    lua_getfield(L, 1, "fds"); /* cwd fds */
    for (int i = 0; i < 3; i++) {
        lua_geti(L, -1, i + 1); /* cwd fds fd */
        plan->fds[i] = (int)luaL_checkinteger(L, -1);
        lua_pop(L, 1); /* cwd fds */
    }
    lua_pop(L, 2);
}

/* In the child: never returns. A failure is told as its errno through report_fd. */
static void become(const struct plan *plan, pid_t parent, int report_fd)
{
    sigset_t none;
    int fds[3];
    int err;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int sig = 1; sig < NSIG; sig++) {
        signal(sig, SIG_DFL);
    }
    /* A session of its own has no terminal: hang-ups mean the same whether a person or a machine
     * runs the specs. */
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(127);
    }
    /* First out of the way of 0-2, then into place. */
    for (int i = 0; i < 3; i++) {
        fds[i] = fcntl(plan->fds[i], F_DUPFD, 3);
    }
    for (int i = 0; i < 3; i++) {
        dup2(fds[i], i);
    }
    for (int i = 0; i < 3; i++) {
        close(fds[i]);
    }
    if (isatty(0)) {
        ioctl(0, TIOCSCTTY, 0); /* its keys become signals, and closing it a hang-up */
    }
    if (!plan->cwd || chdir(plan->cwd) == 0) {
        execvpe(plan->argv[0], (char *const *)plan->argv, (char *const *)plan->env);
    }
    err = errno;
    if (write(report_fd, &err, sizeof err) < 0) {
        _exit(126);
    }
    _exit(127);
}

/* spawn{argv = {…}, env = {"K=V", …}, fds = {in, out, err}, cwd = nil} -> pid, pidfd | nil, message
 */
static int native_spawn(lua_State *L)
{
    struct plan plan;
    pid_t parent = getpid();
    int report[2];
    int err = 0;
    ssize_t n;
    pid_t pid;

    luaL_checktype(L, 1, LUA_TTABLE);
    read_plan(L, &plan);
    luaL_argcheck(L, plan.argv[0], 1, "argv is empty");
    luaL_argcheck(L, children.count < CHILDREN_MAX, 1, "too many children");
    if (pipe2(report, O_CLOEXEC) < 0) {
        return native_fail(L, "pipe");
    }
    pid = fork();
    if (pid == 0) {
        become(&plan, parent, report[1]);
    }
    close(report[1]);
    if (pid < 0) {
        close(report[0]);
        return native_fail(L, "fork");
    }
    do {
        n = read(report[0], &err, sizeof err);
    } while (n < 0 && errno == EINTR);
    close(report[0]);
    if (n == (ssize_t)sizeof err) {
        waitpid(pid, NULL, 0);
        errno = err;
        return native_fail(L, plan.argv[0]);
    }
    children.pids[children.count++] = pid;
    lua_pushinteger(L, pid);
    lua_pushinteger(L, syscall(SYS_pidfd_open, pid, 0)); /* close-on-exec by itself; -1 where there
                                                            is none */
    return 2;
}

/* --- after that
 * ---------------------------------------------------------------------------------------- */

/* wait(pid, block) -> nil while it runs | "exit", status | "signal", number */
static int native_wait(lua_State *L)
{
    pid_t pid = (pid_t)luaL_checkinteger(L, 1);
    int status;
    pid_t got;

    do {
        got = waitpid(pid, &status, lua_toboolean(L, 2) ? 0 : WNOHANG);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return native_fail(L, "waitpid");
    }
    if (got == 0) {
        lua_pushnil(L);
        return 1;
    }
    forget_child(pid);
    lua_pushstring(L, WIFSIGNALED(status) ? "signal" : "exit");
    lua_pushinteger(L, WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return 2;
}

/* kill(pid, signal) -> true | nil, message, errno */
static int native_kill(lua_State *L)
{
    if (kill((pid_t)luaL_checkinteger(L, 1), (int)luaL_checkinteger(L, 2)) < 0) {
        return native_fail(L, "kill");
    }
    lua_pushboolean(L, 1);
    return 1;
}

static int native_getpid(lua_State *L)
{
    lua_pushinteger(L, getpid());
    return 1;
}

static const luaL_Reg functions[] = {
    {"spawn", native_spawn},   {"wait", native_wait}, {"kill", native_kill},
    {"getpid", native_getpid}, {NULL, NULL},
};

static const struct {
    const char *name;
    int number;
} signals[] = {
    {"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"KILL", SIGKILL}, {"USR1", SIGUSR1},
    {"USR2", SIGUSR2}, {"TERM", SIGTERM}, {"STOP", SIGSTOP}, {"CONT", SIGCONT}, {"TSTP", SIGTSTP},
    {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU}, {"SEGV", SIGSEGV}, {"ABRT", SIGABRT}, {"CHLD", SIGCHLD},
    {"PIPE", SIGPIPE}, {"ALRM", SIGALRM}, {"BUS", SIGBUS},
};

void native_open_process(lua_State *L)
{
    if (children.owner == 0) {
        children.owner = getpid();
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        signal(SIGPIPE, SIG_IGN);
        atexit(kill_children);
    }
    luaL_setfuncs(L, functions, 0);
    lua_newtable(L); /* native signals */
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        lua_pushinteger(L, signals[i].number); /* native signals number */
        lua_setfield(L, -2, signals[i].name);  /* native signals */
    }
    lua_setfield(L, -2, "signals"); /* native */
}
