/* notify.c: see notify.h. */
#include "super/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "super/board.h"
#include "super/phase.h"

enum { STATUS_EVERY_MS = 10000 }; /* of what only counts jobs */

/* --- the environment -------------------------------------------------------------------------- */

static void take_socket(struct notify *n, const char *name)
{
    size_t len = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof n->to.sun_path) {
        log_warning("NOTIFY_SOCKET=%.100s: an absolute path or @name of at most %zu bytes is "
                    "needed; systemd is told nothing",
                    name, sizeof n->to.sun_path - 1);
        return;
    }
    n->to.sun_family = AF_UNIX;
    memcpy(n->to.sun_path, name, len);
    if (name[0] == '@') /* an abstract name begins with NUL, and ends with its length */
        n->to.sun_path[0] = '\0';
    n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
}

/* A decimal number alone, above 0; else 0. */
static long long number_of(const char *text)
{
    char *end;
    errno = 0;
    long long value = text && *text >= '0' && *text <= '9' ? strtoll(text, &end, 10) : 0;
    return value > 0 && !errno && !*end ? value : 0;
}

static void take_watchdog(struct notify *n, const char *usec, const char *pid)
{
    if (pid && number_of(pid) != (long long)getpid()) /* it is somebody else's */
        return;
    long long value = number_of(usec);
    n->ping_ms = value / 2000 > 0 ? value / 2000 : value > 0;
    if (value == 0)
        log_warning("WATCHDOG_USEC=%.40s is not a number of microseconds: systemd's watchdog is "
                    "told nothing",
                    usec);
}

void moil_notify_open(struct notify *n)
{
    *n = (struct notify){.is = NOTIFY_STARTING};
    const char *socket_name = getenv("NOTIFY_SOCKET"), *usec = getenv("WATCHDOG_USEC");
    if (socket_name && *socket_name)
        take_socket(n, socket_name);
    if (n->to_len && usec)
        take_watchdog(n, usec, getenv("WATCHDOG_PID"));
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

/* --- one datagram ----------------------------------------------------------------------------- */

static bool send_lines(struct notify *n, const char *lines)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool sent = fd >= 0 && sendto(fd, lines, strlen(lines), MSG_DONTWAIT | MSG_NOSIGNAL,
                                  (struct sockaddr *)&n->to, n->to_len) >= 0;
    if (!sent && !n->failed)
        log_warning("systemd cannot be told how the node does, by NOTIFY_SOCKET=%s%s: %s",
                    n->to.sun_path[0] ? "" : "@", n->to.sun_path + !n->to.sun_path[0],
                    strerror(errno));
    n->failed = !sent;
    if (fd >= 0)
        close(fd);
    return sent;
}

/* --- what there is to say --------------------------------------------------------------------- */

static enum notify_state state_of(const struct super *s)
{
    switch (s->phase) {
    case PHASE_SERVER:
    case PHASE_CHECK:
    case PHASE_STARTING:
        return NOTIFY_STARTING;
    case PHASE_RUNNING:
        return moil_generation_is_reloading(&s->generations) ? NOTIFY_RELOADING : NOTIFY_READY;
    case PHASE_WARM:
    case PHASE_COLD:
    case PHASE_AGENT:
    case PHASE_SERVER_STOP:
    case PHASE_DONE:
    case PHASES:
        break;
    }
    return NOTIFY_STOPPING;
}

static void describe(const struct super *s, char *out, size_t size)
{
    unsigned running = 0;
    int ready = 0;
    for (int i = CHILD_WORKERS; i < moil_children_count(&s->children); i++) {
        const struct child *child = &s->children.all[i];
        ready += child->state == CHILD_READY;
        if (child->pid > 0)
            running += atomic_load(&moil_board_page(s->children.board, child->slot)->running);
    }
    if (s->phase == PHASE_RUNNING && s->options->alone)
        snprintf(out, size, "running: the schedule alone");
    else if (s->phase == PHASE_RUNNING)
        snprintf(out, size, "%s: %d worker%s, %u job%s", s->quiet ? "quiet" : "running", ready,
                 ready == 1 ? "" : "s", running, running == 1 ? "" : "s");
    else
        snprintf(out, size, "%s", moil_phase_name(s->phase));
}

static bool tell(struct notify *n, enum notify_state is, const char *status)
{
    char lines[400], now[64] = "";
    static const char *const words[] = {
        [NOTIFY_STARTING] = "",
        [NOTIFY_READY] = "READY=1\n",
        [NOTIFY_RELOADING] = "RELOADING=1\n",
        [NOTIFY_STOPPING] = "STOPPING=1\n",
    };
    if (is == NOTIFY_RELOADING && is != n->is)
        snprintf(now, sizeof now, "MONOTONIC_USEC=%lld\n", (long long)moil_clock_monotonic_us());
    snprintf(lines, sizeof lines, "%s%sSTATUS=%s\n", is == n->is ? "" : words[is], now, status);
    return send_lines(n, lines);
}

/* At once where the state or the phase is another; counts of jobs not so often. */
static void tell_changes(struct notify *n, const struct super *s)
{
    char status[sizeof n->status];
    enum notify_state is = state_of(s);
    describe(s, status, sizeof status);
    bool only_counts = is == n->is && (is == NOTIFY_READY || is == NOTIFY_RELOADING);
    bool later = only_counts && s->quiet == n->quiet && s->now_ms - n->told_ms < STATUS_EVERY_MS;
    if (later || (is == n->is && strcmp(status, n->status) == 0))
        return;
    if (!tell(n, is, status))
        return;
    n->is = is;
    n->quiet = s->quiet;
    n->told_ms = s->now_ms;
    memcpy(n->status, status, sizeof status);
}

/* --- the watchdog ----------------------------------------------------------------------------- */

/* That this is asked at all says that the loop turns. */
static bool is_well(const struct super *s)
{
    bool loops = false;
    for (int i = CHILD_WORKERS; i < moil_children_count(&s->children); i++) {
        const struct child *child = &s->children.all[i];
        if (child->state == CHILD_NONE || child->state == CHILD_STOPPING)
            continue;
        if (child->state == CHILD_READY || !moil_backoff_is_loop(&child->backoff))
            return true;
        loops = true;
    }
    return !loops || s->phase != PHASE_RUNNING;
}

static void ping(struct notify *n, const struct super *s)
{
    bool well = is_well(s);
    if (!well && !n->sick)
        log_error("systemd's watchdog gets no more signs of life: every worker is in a crash loop");
    n->sick = !well;
    n->pinged_ms = s->now_ms;
    if (well)
        send_lines(n, "WATCHDOG=1\n");
}

int64_t moil_notify_next_ms(const struct notify *n)
{
    return n->ping_ms > 0 ? n->pinged_ms + n->ping_ms : 0;
}

void moil_notify_turn(struct notify *n, const struct super *s)
{
    if (!n->to_len)
        return;
    tell_changes(n, s);
    if (n->ping_ms > 0 && s->now_ms >= moil_notify_next_ms(n))
        ping(n, s);
}
