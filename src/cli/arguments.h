/* Arguments of a job, from what stands on the command line. Pure. */
#ifndef MOIL_CLI_ARGUMENTS_H
#define MOIL_CLI_ARGUMENTS_H

#include <stddef.h>

#include "base/buffer.h"

/* Appends a JSON array of the words, each as JSON where it is JSON, else as a string. 0, or
 * MOIL_EINVAL with one line in errstr that names the argument: not UTF-8, or a number too big to be
 * kept exactly. */
int moil_arguments_add(struct buffer *out, const char *const *words, size_t count, char *errstr,
                       size_t errlen);

/* 0 when the text is one JSON value of that kind ('[' or '{'), else MOIL_EINVAL, and why. */
int moil_arguments_check(const char *text, size_t len, char kind, char *errstr, size_t errlen);

#endif
