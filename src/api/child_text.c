/* child_text.c: see child_text.h. */
#include "api/child_text.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { TURN_MS = 3600 * 1000 }; /* poll's longest: its argument is an int */

_Noreturn void moil_child_say(int fd, struct buffer *text, int status)
{
    const char *p = moil_buffer_cstr(text);
    size_t left = text->len;
    while (left > 0) {
        ssize_t n = write(fd, p, left);
        if (n <= 0)
            break;
        p += n;
        left -= (size_t)n;
    }
    _exit(status);
}

/* Reads until the pipe's end. False when the time is up first. */
static bool read_all(int fd, double timeout_ms, struct buffer *out)
{
    int64_t end_us = moil_clock_monotonic_us() + (int64_t)(timeout_ms * 1000);
    for (;;) {
        int64_t left_ms = (end_us - moil_clock_monotonic_us()) / 1000 + 1;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (left_ms <= 0)
            return false;
        if (poll(&p, 1, left_ms < TURN_MS ? (int)left_ms : TURN_MS) == 0)
            continue;
        char *room = moil_buffer_reserve(out, 4096);
        ssize_t n = room ? read(fd, room, 4096) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return true;
        out->len += (size_t)n;
    }
}

int moil_child_listen(void (*run)(void *data, int fd), void *data, double timeout_ms,
                      struct buffer *text, int *wait_status)
{
    int fds[2];
    pid_t parent = getpid();
    if (pipe(fds) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent) /* it was over before that */
            _exit(1);
        run(data, fds[1]);
        _exit(0);
    }
    close(fds[1]);
    bool in_time = pid > 0 && read_all(fds[0], timeout_ms, text);
    close(fds[0]);
    if (pid < 0)
        return -1;
    if (!in_time)
        kill(pid, SIGKILL);
    while (waitpid(pid, wait_status, 0) < 0 && errno == EINTR)
        ;
    return in_time;
}
