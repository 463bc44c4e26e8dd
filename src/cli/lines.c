/* Reading lines with read(2) and one buffer. A producer that pauses must not leave its last lines
 * lying in a half-full batch: that is what LINE_IDLE is for. */
#include "cli/lines.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

enum {
    BUFFER_BYTES = LINE_BYTES_MAX + (64 << 10),
    IDLE_MS = 5, /* a producer that only takes turns with us is not idle */
};

int moil_lines_init(struct lines *l, int fd)
{
    *l = (struct lines){.fd = fd, .data = malloc(BUFFER_BYTES)};
    return l->data ? 0 : MOIL_ENOMEM;
}

void moil_lines_fini(struct lines *l)
{
    free(l->data);
    *l = (struct lines){0};
}

static enum line_status take_line(struct lines *l, size_t end, const char **line, size_t *len)
{
    l->number++;
    l->told_idle = false;
    if (end - l->begin > LINE_BYTES_MAX) {
        return LINE_TOO_LONG;
    }
    *line = l->data + l->begin;
    *len = end - l->begin;
    l->begin = end < l->end ? end + 1 : end;
    l->scanned = l->begin;
    return LINE_READ;
}

static bool is_idle(const struct lines *l)
{
    struct pollfd p = {.fd = l->fd, .events = POLLIN};
    return poll(&p, 1, IDLE_MS) == 0;
}

/* One read(2) more. LINE_READ: go on. */
static enum line_status fill(struct lines *l)
{
    if (l->end == BUFFER_BYTES) {
        memmove(l->data, l->data + l->begin, l->end - l->begin);
        l->end -= l->begin;
        l->scanned -= l->begin;
        l->begin = 0;
    }
    ssize_t n;
    do {
        n = read(l->fd, l->data + l->end, BUFFER_BYTES - l->end);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return LINE_FAILED;
    }
    l->ended = n == 0;
    l->end += (size_t)n;
    return LINE_READ;
}

enum line_status moil_lines_next(struct lines *l, const char **line, size_t *len)
{
    for (;;) {
        char *newline = memchr(l->data + l->scanned, '\n', l->end - l->scanned);
        if (newline) {
            return take_line(l, (size_t)(newline - l->data), line, len);
        }
        l->scanned = l->end;
        if (l->end - l->begin > LINE_BYTES_MAX) {
            l->number++;
            return LINE_TOO_LONG;
        }
        if (l->ended) {
            return l->begin < l->end ? take_line(l, l->end, line, len) : LINE_END;
        }
        if (!l->told_idle && is_idle(l)) {
            l->told_idle = true;
            return LINE_IDLE;
        }
        if (fill(l) == LINE_FAILED) {
            return LINE_FAILED;
        }
    }
}
