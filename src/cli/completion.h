/* Completion of command lines in bash and zsh.
 *
 * The shells' functions, which --help=bash and --help=zsh print, hand the words up to the cursor to
 * `moil --help=complete WORD...`: candidates come from the tables of commands and options of the
 * very program that is typed. Called by main.c. */
#ifndef MOIL_CLI_COMPLETION_H
#define MOIL_CLI_COMPLETION_H

#include "base/buffer.h"

/* Prints what the last word may become, a line each: "CANDIDATE<tab>DESCRIPTION", or ":files" and
 * ":dirs" for the names of files and folders. argv[0] is skipped. Never fails: what cannot be known
 * is left out. */
void moil_completion_print(int argc, char **argv);

/* The functions, for bash and zsh; in completion_shell.c. */
void moil_completion_bash(struct buffer *out);
void moil_completion_zsh(struct buffer *out);

#endif
