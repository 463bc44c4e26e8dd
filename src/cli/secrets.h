/* Keeps passwords off the process list. */
#ifndef MOIL_CLI_SECRETS_H
#define MOIL_CLI_SECRETS_H

/* Gives each argument that is a URL with a password a copy of its own, and stars out the original,
 * which every user of the machine can read in `ps`. The copies live as long as the program. */
void moil_hide_passwords(int argc, char **argv);

#endif
