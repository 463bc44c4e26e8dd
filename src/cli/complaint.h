/* What goes to stderr: one line that says what is wrong and what to do. */
#ifndef MOIL_CLI_COMPLAINT_H
#define MOIL_CLI_COMPLAINT_H

#include "cli/command.h"

/* "moil: …" and a newline; control characters become spaces. */
void moil_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same, and returns STATUS_USAGE. */
enum exit_status moil_complain_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The exit status that stands for an error code of the library. */
enum exit_status moil_exit_status(int status);

/* 0, or complains that there are not between min and max operands; `what` names them. */
enum exit_status moil_check_operands(const struct options *o, size_t min, size_t max,
                                     const char *what);

#endif
