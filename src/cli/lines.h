/* Lines of a descriptor, of bounded length. Tells when it would have to wait for more. */
#ifndef MOIL_CLI_LINES_H
#define MOIL_CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>

enum { LINE_BYTES_MAX = 1 << 20 };

enum line_status {
    LINE_READ,     /* a line, without its newline */
    LINE_IDLE,     /* nothing there now: send what is collected, then ask again */
    LINE_END,      /* end of input */
    LINE_TOO_LONG, /* over LINE_BYTES_MAX */
    LINE_FAILED,   /* errno tells */
};

struct lines {
    int fd;
    char *data; /* ours */
    size_t begin, end;
    size_t scanned; /* no newline before it */
    size_t number;  /* of the line last returned, from 1 */
    bool ended;
    bool told_idle;
};

int moil_lines_init(struct lines *l, int fd); /* 0 or MOIL_ENOMEM */
void moil_lines_fini(struct lines *l);

/* The line is borrowed until the next call. */
enum line_status moil_lines_next(struct lines *l, const char **line, size_t *len);

#endif
