/* Text as the lines of a man page (roff, man macros). Pure; used by conf/man.c and cli/man*.c.
 *
 * What comes out is ASCII, so that it looks the same under every locale. */
#ifndef MOIL_CONF_ROFF_H
#define MOIL_CONF_ROFF_H

#include "base/buffer.h"
#include "base/slice.h"

/* s with everything escaped that roff takes for its own. Text between backquotes becomes bold.
 * Lines stay lines; s begins at the beginning of one. */
void moil_roff_add(struct buffer *out, struct slice s);
void moil_roff_add_str(struct buffer *out, const char *s);

/* The same within a line, and in bold or italics; no backquotes. */
void moil_roff_add_bold(struct buffer *out, const char *s);
void moil_roff_add_italic(struct buffer *out, const char *s);

/* Several lines as in struct command_row's details: paragraphs, which are filled, with blank lines
 * between them; what is indented by two blanks or more is an example, and stays as it is. */
void moil_roff_add_paragraphs(struct buffer *out, const char *text);

/* A finished page, its text in lines of at most 80 bytes where there is a blank to break them at;
 * examples and the tags of lists stay as they are. */
void moil_roff_fold(struct buffer *out, struct slice page);

#endif
