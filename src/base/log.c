/* Log lines: built in full, then written by one write(2) each.
 *
 * Called by every layer; one per process, so its state is the file's own. What a job's fields look
 * like in a text line is log_fields.c's. Must not know of jobs beyond their id and task, nor of
 * Redis or Lua. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log_fields.h"

static const char *const level_names[LOG_LEVELS] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARNING] = "warning",
    [LOG_ERROR] = "error",
};

static struct {
    struct log_options options;
    _Atomic int level; /* of the options; other threads may be logging when it is changed */
    int fd;
    char role[40];
    moil_log_sink *sink;
    void *sink_data;
    _Atomic unsigned long dropped; /* lines since the last one that could be written */
    _Atomic bool cut;              /* the last write ended in mid-line */
} out = {.level = LOG_INFO, .fd = STDERR_FILENO};

/* What one line says; absent slices are left out. */
struct line {
    enum log_level level;
    struct slice message;
    struct slice task;
    struct slice id;
    struct slice fields;
};

/* --- where lines go --------------------------------------------------------------------------- */

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

int moil_log_open(const struct log_options *options)
{
    int fd = options->path ? open_file(options->path) : STDERR_FILENO;

    out.options = *options;
    atomic_store(&out.level, (int)options->level);
    if (fd < 0) {
        out.options.path = NULL;
        return MOIL_ESYS;
    }
    if (out.fd != STDERR_FILENO) {
        close(out.fd);
    }
    out.fd = fd;
    return 0;
}

int moil_log_reopen(void)
{
    int fd;

    if (!out.options.path) {
        return 0;
    }
    fd = open_file(out.options.path);
    if (fd < 0) {
        return MOIL_ESYS;
    }
    close(out.fd);
    out.fd = fd;
    return 0;
}

void moil_log_set_role(const char *role)
{
    snprintf(out.role, sizeof out.role, "%s", role ? role : "");
}

void moil_log_set_sink(moil_log_sink *sink, void *data)
{
    out.sink = sink;
    out.sink_data = data;
}

void moil_log_set_level(int level)
{
    if (level >= LOG_DEBUG && level < LOG_LEVELS) {
        atomic_store_explicit(&out.level, level, memory_order_relaxed);
    }
}

bool moil_log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&out.level, memory_order_relaxed);
}

int moil_log_level_parse(const char *name, enum log_level *out_level)
{
    for (int i = 0; i < LOG_LEVELS; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *out_level = (enum log_level)i;
            return 0;
        }
    }
    return MOIL_EINVAL;
}

/* --- building a line -------------------------------------------------------------------------- */

static void add_time(struct buffer *b)
{
    int64_t now_us = moil_clock_wall_us();
    time_t seconds = (time_t)(now_us / 1000000);
    struct tm t;
    char *to = moil_buffer_reserve(b, 32);

    if (to && gmtime_r(&seconds, &t)) {
        b->len += strftime(to, 32, "%Y-%m-%dT%H:%M:%S", &t);
        moil_buffer_addf(b, ".%03dZ", (int)(now_us / 1000 % 1000));
    }
}

static void add_text(struct buffer *b, const struct line *l)
{
    add_time(b);
    moil_buffer_addf(b, " %-5s ", level_names[l->level]);
    if (out.role[0]) {
        moil_buffer_addf(b, "%s  ", out.role);
    }
    moil_log_add_plain(b, l->message);
    if (l->task.p) {
        moil_buffer_add_str(b, "  task=");
        moil_log_add_plain(b, l->task);
        moil_buffer_add_str(b, " id=");
        moil_log_add_plain(b, l->id);
    }
    if (l->fields.n > 0) {
        moil_log_add_fields(b, l->fields);
    }
}

static void add_member(struct buffer *b, const char *name, struct slice value)
{
    moil_buffer_addf(b, ",\"%s\":", name);
    moil_buffer_add_json(b, value);
}

static void add_json(struct buffer *b, const struct line *l)
{
    moil_buffer_add_str(b, "{\"time\":\"");
    add_time(b);
    moil_buffer_addf(b, "\",\"level\":\"%s\"", level_names[l->level]);
    if (out.role[0]) {
        add_member(b, "role", slice_str(out.role));
    }
    add_member(b, "message", l->message);
    if (l->task.p) {
        add_member(b, "task", l->task);
        add_member(b, "id", l->id);
    }
    if (l->fields.n > 0) {
        moil_buffer_add_str(b, ",\"fields\":");
        moil_buffer_add_slice(b, l->fields);
    }
    moil_buffer_add_char(b, '}');
}

static void build(struct buffer *b, const struct line *l)
{
    if (out.options.format == LOG_JSON) {
        add_json(b, l);
    } else {
        add_text(b, l);
    }
}

/* --- writing ---------------------------------------------------------------------------------- */

/* One write(2). False when the line, or a part of it, could not be written. */
static bool write_line(struct buffer *b)
{
    ssize_t n;

    moil_buffer_add_char(b, '\n');
    if (b->failed) {
        return false;
    }
    do {
        n = write(out.fd, b->data, b->len);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        out.cut = (size_t)n < b->len;
    }
    return n == (ssize_t)b->len;
}

/* Tells how many lines were lost before; false while that is not possible either. */
static bool tell_dropped(void)
{
    unsigned long count = atomic_exchange(&out.dropped, 0);
    char text[80];
    struct line l = {.level = LOG_WARNING};
    struct buffer b;
    bool written;

    if (count == 0) {
        return true;
    }
    snprintf(text, sizeof text, "%lu log lines could not be written and were dropped", count);
    l.message = slice_str(text);
    moil_buffer_init(&b);
    if (out.cut) {
        moil_buffer_add_char(&b, '\n');
    }
    build(&b, &l);
    written = write_line(&b);
    moil_buffer_fini(&b);
    if (!written) {
        atomic_fetch_add(&out.dropped, count);
    }
    return written;
}

/* The first line that a log file does not take is told on stderr, once for each time that begins.
 */
static void complain(int why)
{
    if (out.fd != STDERR_FILENO && atomic_load(&out.dropped) == 0) {
        dprintf(STDERR_FILENO,
                "moil: the log cannot be written (%s): lines are dropped until it can\n",
                strerror(why));
    }
}

static void emit(const struct line *l)
{
    int saved_errno = errno; /* callers log and then look at it */
    struct buffer b;

    moil_buffer_init(&b);
    build(&b, l);
    if (out.sink) {
        out.sink(out.sink_data, l->level, moil_buffer_cstr(&b), b.len);
    } else if (!tell_dropped() || !write_line(&b)) {
        complain(errno);
        atomic_fetch_add(&out.dropped, 1);
    }
    moil_buffer_fini(&b);
    errno = saved_errno;
}

void moil_log(enum log_level level, const char *fmt, ...)
{
    struct buffer text;
    va_list ap;

    if (!moil_log_enabled(level)) {
        return;
    }
    moil_buffer_init(&text);
    va_start(ap, fmt);
    moil_buffer_addv(&text, fmt, ap);
    va_end(ap);
    emit(&(struct line){.level = level, .message = moil_buffer_slice(&text)});
    moil_buffer_fini(&text);
}

void moil_log_job(enum log_level level, struct slice id, struct slice task, struct slice message,
                  struct slice fields)
{
    if (moil_log_enabled(level)) {
        emit(&(struct line){
            .level = level, .message = message, .task = task, .id = id, .fields = fields});
    }
}
