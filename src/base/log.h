/* The log: one line an event to stderr (or a file), as text or JSON.
 *
 * Called by every layer; each process has one. Lines are written by one write(2) each, so that
 * processes may share the descriptor. A line that cannot be written (a full disk, a full pipe) is
 * dropped and counted, and the count is told by the next line that can. Secrets are the caller's
 * care: URLs go through moil_url_redact first. */
#ifndef MOIL_BASE_LOG_H
#define MOIL_BASE_LOG_H

#include <stdbool.h>

#include "base/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_LEVELS };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_options {
    enum log_level level;
    enum log_format format;
    const char *path; /* NULL: stderr; borrowed for the process's life */
};

/* 0, or MOIL_ESYS when the file cannot be opened (then stderr stays in use). */
int moil_log_open(const struct log_options *options);

/* Opens the file anew, after logrotate moved it away. */
int moil_log_reopen(void);

/* What stands before each message: "worker 2", "agent", … Copied; NULL for none. */
void moil_log_set_role(const char *role);

/* Lets an embedding program take the lines over (without their newline); NULL brings back the
 * default. */
typedef void moil_log_sink(void *data, enum log_level level, const char *line, size_t len);
void moil_log_set_sink(moil_log_sink *sink, void *data);

bool moil_log_enabled(enum log_level level);

/* From now on; what is no level changes nothing. */
void moil_log_set_level(int level);

void moil_log(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A line that belongs to a job: `task` and `id` stand on it. `fields`: JSON object text, or empty.
 */
void moil_log_job(enum log_level level, struct slice id, struct slice task, struct slice message,
                  struct slice fields);

/* "debug" … "error" to a level; MOIL_EINVAL when it is none of them. */
int moil_log_level_parse(const char *name, enum log_level *out_level);

#define log_debug(...)   (moil_log_enabled(LOG_DEBUG) ? moil_log(LOG_DEBUG, __VA_ARGS__) : (void)0)
#define log_info(...)    moil_log(LOG_INFO, __VA_ARGS__)
#define log_warning(...) moil_log(LOG_WARNING, __VA_ARGS__)
#define log_error(...)   moil_log(LOG_ERROR, __VA_ARGS__)

#endif
