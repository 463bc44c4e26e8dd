/* program.c: see program.h. It is over when the process was reaped and both its pipes are at their
 * end (or 1 s after the reaping, as a grandchild may hold them open for ever). */
#include "worker/program.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sigpipe.h"

#define LOOK_S 0.02 /* between two looks whether it has ended, where nothing tells */

enum { KILL_AFTER_S = 1, PIPES_AFTER_S = 1, READ_BYTES = 65536 };

struct stream {
    ev_io io;
    int fd; /* -1: closed */
    struct buffer bytes;
};

struct program {
    struct ev_loop *loop;
    program_cb *cb;
    void *data;
    pid_t pid;
    ev_child child; /* on libev's default loop, which reaps whatever there is, where SIGCHLD is its
                       own … */
    int pidfd;      /* … but signals are the host's; -1: the kernel has none … */
    ev_io exit;
    ev_timer look;  /* … and it is looked after */
    ev_timer timer; /* the time limit, then SIGKILL, then the pipes' end */
    struct stream out, err;
    struct stream in; /* bytes: what is still to be written */
    size_t written;
    size_t max_output;
    struct program_result result;
    bool reaped;
};

static void close_stream(struct program *p, struct stream *s)
{
    if (s->fd < 0)
        return;
    ev_io_stop(p->loop, &s->io);
    close(s->fd);
    s->fd = -1;
}

static void unwatch(struct program *p)
{
    ev_child_stop(p->loop, &p->child);
    ev_io_stop(p->loop, &p->exit);
    ev_timer_stop(p->loop, &p->look);
    if (p->pidfd >= 0)
        close(p->pidfd);
    p->pidfd = -1;
}

static void program_free(struct program *p)
{
    ev_timer_stop(p->loop, &p->timer);
    unwatch(p);
    struct stream *streams[] = {&p->in, &p->out, &p->err};
    for (int i = 0; i < 3; i++) {
        close_stream(p, streams[i]);
        moil_buffer_fini(&streams[i]->bytes);
    }
    moil_mem_free(p);
}

void moil_program_kill(struct program *p)
{
    if (!p->reaped) {
        kill(-p->pid, SIGKILL);
        waitpid(p->pid, NULL, 0);
    }
    program_free(p);
}

void moil_program_answer(struct vm_call *call, const struct program_result *r)
{
    if (r->code >= 0)
        moil_call_add_int(call, r->code);
    else
        moil_call_add_nil(call);
    if (r->signal > 0)
        moil_call_add_int(call, r->signal);
    else
        moil_call_add_nil(call);
    moil_call_add_string(call, r->out);
    moil_call_add_string(call, r->err);
    moil_call_add_bool(call, r->timed_out);
    moil_call_add_bool(call, r->truncated);
}

static void finish_if_over(struct program *p)
{
    if (!p->reaped || p->out.fd >= 0 || p->err.fd >= 0)
        return;
    p->result.out = moil_buffer_slice(&p->out.bytes);
    p->result.err = moil_buffer_slice(&p->err.bytes);
    p->cb(p->data, &p->result);
    program_free(p);
}

static void arm(struct program *p, double seconds)
{
    ev_timer_stop(p->loop, &p->timer);
    ev_timer_set(&p->timer, seconds, 0);
    ev_now_update(p->loop); /* the job may have computed for long since the loop last looked at the
                               clock */
    ev_timer_start(p->loop, &p->timer);
}

static void end_group(struct program *p, int sig)
{
    if (!p->reaped)
        kill(-p->pid, sig);
}

static void timer_cb(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop;
    (void)events;
    struct program *p = w->data;
    if (p->reaped) { /* somebody else holds its pipes */
        kill(-p->pid, SIGKILL);
        close_stream(p, &p->out);
        close_stream(p, &p->err);
        finish_if_over(p);
    } else if (!p->result.timed_out && !p->result.truncated) {
        p->result.timed_out = true;
        end_group(p, SIGTERM);
        arm(p, KILL_AFTER_S);
    } else {
        end_group(p, SIGKILL);
    }
}

static void ended(struct program *p, bool known, int status)
{
    unwatch(p);
    p->reaped = true;
    p->result.code = known && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    p->result.signal = known && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    close_stream(p, &p->in);
    if (p->result.timed_out || p->result.truncated) /* it was told to end: what it left behind ends
                                                       too */
        kill(-p->pid, SIGKILL);
    arm(p, PIPES_AFTER_S);
    finish_if_over(p);
}

static void child_cb(struct ev_loop *loop, ev_child *w, int events)
{
    (void)loop;
    (void)events;
    ended(w->data, true, w->rstatus);
}

static void look(struct program *p)
{
    int status;
    pid_t pid = waitpid(p->pid, &status, WNOHANG);
    if (pid == p->pid) {
        ended(p, true, status);
    } else if (pid < 0 && errno == ECHILD && !ev_is_pending(&p->child)) {
        log_warning("somebody else in this process has waited for a program of moil.run: how it "
                    "ended is not known");
        ended(p, false, 0);
    }
}

static void exit_cb(struct ev_loop *loop, ev_io *w, int events)
{
    (void)loop;
    (void)events;
    look(w->data);
}

static void look_cb(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop;
    (void)events;
    look(w->data);
}

/* pidfd_open, which glibc has from 2.36 on. */
static int open_pidfd(pid_t pid)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0);
#else
    (void)pid;
    return -1;
#endif
}

static void watch_exit(struct program *p)
{
    if (ev_is_default_loop(p->loop))
        ev_child_start(p->loop, &p->child);
    p->pidfd = open_pidfd(p->pid);
    if (p->pidfd >= 0) {
        ev_io_set(&p->exit, p->pidfd, EV_READ);
        ev_io_start(p->loop, &p->exit);
    } else {
        ev_timer_again(p->loop, &p->look);
    }
}

static void read_cb(struct ev_loop *loop, ev_io *w, int events)
{
    (void)loop;
    (void)events;
    struct program *p = w->data;
    struct stream *s = w == &p->out.io ? &p->out : &p->err;
    char *room = moil_buffer_reserve(&s->bytes, READ_BYTES);
    ssize_t n = room ? read(s->fd, room, READ_BYTES) : 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        close_stream(p, s);
        finish_if_over(p);
        return;
    }
    s->bytes.len += (size_t)n;
    if (s->bytes.len > p->max_output) {
        s->bytes.len = p->max_output;
        p->result.truncated = true;
        close_stream(p, s);
        end_group(p, SIGTERM);
        if (!p->reaped)
            arm(p, KILL_AFTER_S);
        finish_if_over(p);
    }
}

static void write_cb(struct ev_loop *loop, ev_io *w, int events)
{
    (void)loop;
    (void)events;
    struct program *p = w->data;
    struct sigpipe_guard g;
    moil_sigpipe_hold(&g);
    ssize_t n = write(p->in.fd, p->in.bytes.data + p->written, p->in.bytes.len - p->written);
    int err = errno;
    moil_sigpipe_release(&g);
    if (n < 0 && (err == EAGAIN || err == EINTR))
        return;
    if (n > 0)
        p->written += (size_t)n;
    if (n < 0 || p->written == p->in.bytes.len) /* it need not read all that it is given */
        close_stream(p, &p->in);
}

static void watch(struct program *p, struct stream *s, int fd, int events)
{
    s->fd = fd;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    ev_io_init(&s->io, events == EV_READ ? read_cb : write_cb, fd, events);
    s->io.data = p;
    ev_io_start(p->loop, &s->io);
}

/* The child's side: pipes to 0-2 and no other descriptor, its own group, default signals. 0 or an
 * errno. */
static int spawn_child(const struct vm_spawn *spawn, const int in[2], const int out[2],
                       const int err[2], pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t all, none;
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, err[1], 2);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    if (spawn->cwd)
        posix_spawn_file_actions_addchdir_np(&actions, spawn->cwd);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
                                        POSIX_SPAWN_SETSIGMASK);
    int rc =
        posix_spawnp(pid, spawn->argv[0], &actions, &attr, (char *const *)spawn->argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return rc;
}

static void close_pair(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

/* Three pipes, close-on-exec. 0 or MOIL_ESYS-like -1 with nothing left open. */
static int make_pipes(int in[2], int out[2], int err[2])
{
    if (pipe2(in, O_CLOEXEC) != 0)
        return -1;
    if (pipe2(out, O_CLOEXEC) != 0) {
        close_pair(in);
        return -1;
    }
    if (pipe2(err, O_CLOEXEC) != 0) {
        close_pair(in);
        close_pair(out);
        return -1;
    }
    return 0;
}

struct program *moil_program_start(struct ev_loop *loop, const struct vm_spawn *spawn,
                                   program_cb *cb, void *data, char *errstr, size_t errlen)
{
    struct program *p = moil_mem_zalloc(1, sizeof *p);
    int in[2], out[2], err[2];
    if (!p || make_pipes(in, out, err) != 0) {
        snprintf(errstr, errlen, "cannot start %.100s: %s", spawn->argv[0],
                 strerror(p ? errno : ENOMEM));
        moil_mem_free(p);
        return NULL;
    }
    int rc = spawn_child(spawn, in, out, err, &p->pid);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    if (rc != 0) {
        snprintf(errstr, errlen, "cannot start %.100s: %s", spawn->argv[0], strerror(rc));
        close(in[1]);
        close(out[0]);
        close(err[0]);
        moil_mem_free(p);
        return NULL;
    }
    *p = (struct program){
        .loop = loop, .cb = cb, .data = data, .pid = p->pid, .max_output = spawn->max_output};
    p->in.fd = p->out.fd = p->err.fd = -1;
    p->pidfd = -1;
    ev_child_init(&p->child, child_cb, p->pid, 0);
    ev_io_init(&p->exit, exit_cb, -1, EV_READ);
    ev_timer_init(&p->look, look_cb, LOOK_S, LOOK_S);
    ev_timer_init(&p->timer, timer_cb, 0, 0);
    p->child.data = p->exit.data = p->look.data = p->timer.data = p;
    watch_exit(p);
    if (spawn->timeout_s > 0)
        arm(p, spawn->timeout_s);
    watch(p, &p->out, out[0], EV_READ);
    watch(p, &p->err, err[0], EV_READ);
    if (spawn->input.n) {
        moil_buffer_add_slice(&p->in.bytes, spawn->input);
        watch(p, &p->in, in[1], EV_WRITE);
    } else {
        close(in[1]);
    }
    return p;
}
