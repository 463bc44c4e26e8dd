/* The parts of a text log line that come from outside: kept on one line, fields as key=value. Only
 * log.c calls this. */
#ifndef MOIL_BASE_LOG_FIELDS_H
#define MOIL_BASE_LOG_FIELDS_H

#include "base/buffer.h"
#include "base/slice.h"

/* Text as it is, but control characters escaped, so that a message can neither break nor forge a
 * line. */
void moil_log_add_plain(struct buffer *b, struct slice text);

/* The members of a JSON object text, each as " key=value". Strings of plain characters lose their
 * quotes; other values stay JSON. Text that is no object is written as " fields=…". */
void moil_log_add_fields(struct buffer *b, struct slice object);

#endif
