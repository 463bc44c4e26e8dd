/* What the last word of a half-typed command line is, and what the option table has for it. Called
 * by cli/completion.c, which knows commands and their operands. Unlike conf/argv.h, nothing is an
 * error. */
#ifndef MOIL_CONF_COMPLETION_H
#define MOIL_CONF_COMPLETION_H

#include <stddef.h>

#include "base/buffer.h"
#include "conf/options.h"

enum completion_kind {
    COMPLETION_OPTION,  /* an option's name, with its dashes */
    COMPLETION_VALUE,   /* an option's value */
    COMPLETION_OPERAND, /* anything else */
};

struct completion {
    enum completion_kind kind;
    const char *typed;  /* what there is of it, borrowed; of --name=VALUE what stands behind "=" */
    const char *option; /* COMPLETION_VALUE: the option's name, borrowed from the table */
    const char *arg;    /* COMPLETION_VALUE: what help calls its value: "FILE", "N", … */
    size_t operands;    /* those that stand before it */
    const char *first;  /* the first of them, borrowed; NULL: none */
};

/* argv[0] is skipped, argv[argc - 1] is the word; the command's name is not among them. */
void moil_completion_find(struct completion *c, enum command command, int argc, char **argv);

/* Adds a line "CANDIDATE<tab>DESCRIPTION" for each option's name, or each of the values that an
 * option chooses from, that begins with what is typed. */
void moil_completion_options(const struct completion *c, enum command command, struct buffer *out);
void moil_completion_choices(const struct completion *c, enum command command, struct buffer *out);

/* One such line, where `candidate` begins with what is typed. */
void moil_completion_add(const struct completion *c, const char *candidate, const char *description,
                         struct buffer *out);

#endif
