/* The man pages, printed by the program itself from the tables of commands and options: moil(1),
 * one for each command, moil.lua(5), beat(5). Called by main.c for --help=man and --help=pages. */
#ifndef MOIL_CLI_MAN_H
#define MOIL_CLI_MAN_H

#include <stdbool.h>

#include "cli/command.h"

/* The names of all pages ("moil.1", "moil-worker.1", …), one a line. */
void moil_man_list(struct buffer *out);

/* One of them. False where there is none of that name. */
bool moil_man_page(const char *name, struct buffer *out);

/* That of a command; NULL: moil(1). */
void moil_man_command(const struct command_row *row, struct buffer *out);

/* .TH and the section NAME: `name` in lower case, the section, what stands behind the dash. */
void moil_man_begin(struct buffer *out, const char *name, int section, const char *summary);

/* The pages of section 5, in man_files.c. */
void moil_man_config_file(struct buffer *out);
void moil_man_beat_file(struct buffer *out);

#endif
