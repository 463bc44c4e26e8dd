/* Standard output: whether it is a terminal, how wide, JSON lines, and what becomes of a closed
 * pipe. */
#ifndef MOIL_CLI_OUTPUT_H
#define MOIL_CLI_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "cli/command.h"

/* Columns of the terminal; 0 when stdout is none. */
size_t moil_output_width(void);

/* What --color says. */
enum output_colours { COLOURS_AUTO, COLOURS_ALWAYS, COLOURS_NEVER };
void moil_output_choose_colours(enum output_colours choice);

/* --color says so or, where it leaves that open, stdout is a terminal that shows colours and the
 * user has not said NO_COLOR. */
bool moil_output_has_colours(void);

/* One JSON value on a line of its own. Does not take the reference. */
void moil_output_json(const json_t *value);

/* JSON text as the library gave it, digit for digit, as one line; each element of an array when
 * `each`. */
void moil_output_json_text(const char *text, bool each);

/* Text that others wrote (task names, messages), with control characters made harmless. */
void moil_output_clean(struct buffer *out, const char *text, size_t len);

/* What was printed goes out now; a failure is kept for moil_output_finish. */
void moil_output_flush(void);

/* Flushes. A reader that has gone is no error; a full disk is. Returns the exit status to leave
 * with. */
enum exit_status moil_output_finish(enum exit_status status);

#endif
