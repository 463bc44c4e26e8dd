/* The command line's grammar: which argument is a flag, which its value, which an operand.
 *
 * --name VALUE, --name=VALUE, -x VALUE, -xVALUE; "--" ends the options; "-" alone and what looks
 * like a number are operands. Pure: values are not looked into, nothing is read. Used by
 * conf/options.c. */
#ifndef MOIL_CONF_ARGV_H
#define MOIL_CONF_ARGV_H

#include "conf/table.h"

struct argv_flag {
    const struct option_row *row;
    const char *value; /* borrowed; "true" for a switch */
};

struct argv_parsed {
    struct argv_flag *flags; /* in order */
    size_t flag_count;
    const char **operands; /* in order; the array is ours, the strings are borrowed from argv */
    size_t operand_count;
};

/* 0, MOIL_EINVAL or MOIL_ENOMEM with one line in errstr. Free with moil_argv_fini in any case. */
int moil_argv_parse(struct argv_parsed *out, enum command command, int argc, char **argv,
                    char *errstr, size_t errlen);
void moil_argv_fini(struct argv_parsed *p);

#endif
