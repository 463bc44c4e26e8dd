/* The views of `moil inspect`, printed. Also used by `moil dead list`. */
#ifndef MOIL_CLI_VIEWS_H
#define MOIL_CLI_VIEWS_H

#include "api/moil.h"
#include "cli/command.h"

/* Asks for one view and prints it: a table, or with --json one object a line. */
enum exit_status moil_view_print(const struct options *o, moil_client *client, moil_view view);

/* Everything known about a job; with `dead` only where it is in the dead set. */
enum exit_status moil_view_print_job(const struct options *o, moil_client *client, const char *id,
                                     bool dead);

#endif
