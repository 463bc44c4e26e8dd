/* The rows of the option table, for the rest of conf/ alone: argv.c finds rows by flag, file.c and
 * options.c by key and environment variable, value.c parses by type, help.c prints them. */
#ifndef MOIL_CONF_TABLE_H
#define MOIL_CONF_TABLE_H

#include <stddef.h>

#include "base/slice.h"
#include "conf/options.h"

enum option_type {
    OPTION_BOOL,      /* bool */
    OPTION_STRING,    /* char * */
    OPTION_NAME,      /* char *: a task's, queue's or job's name */
    OPTION_NAMESPACE, /* char * */
    OPTION_URL,       /* char * */
    OPTION_ADDRESS,   /* char *: where a server of ours listens */
    OPTION_QUEUES,    /* char *: names, or name:weight, with commas */
    OPTION_IDS,       /* char *: ids with commas; given again it adds to them */
    OPTION_INT,       /* long */
    OPTION_SECONDS,   /* double */
    OPTION_INSTANT,   /* double: seconds since the epoch */
    OPTION_WHEN,      /* double: the same, or below MOIL_EPOCH_FROM: seconds from now */
    OPTION_CHOICE,    /* int: index in choices */
    OPTION_HELP,      /* bool, and options.help_form for --help=FORM */
};

struct option_row {
    const char *name; /* without the dashes */
    const char *arg;  /* its value's name in help; NULL for a switch */
    size_t offset;    /* of its field in struct options */
    enum option_type type;
    unsigned commands;          /* bits of enum command */
    char flag;                  /* the one-letter form, or 0 */
    const char *initial;        /* default, parsed like any value; NULL: none */
    const char *initial_note;   /* the default in words, where it is worked out later; or NULL */
    double min, max;            /* of numbers, inclusive */
    const char *const *choices; /* NULL-terminated, for OPTION_CHOICE */
    const char *env;            /* environment variable, or NULL */
    const char *key;            /* in the config file, or NULL */
    bool fixed;                 /* a reload does not change it */
    const char *help;           /* one line, no full stop */
};

/* The table, in two parts. */
extern const struct option_row moil_node_options[], moil_client_options[];
extern const size_t moil_node_option_count, moil_client_option_count;

/* All of it, by number. */
size_t moil_option_count(void);
const struct option_row *moil_option_at(size_t i);

/* NULL when the command has no such option. */
const struct option_row *moil_option_by_name(struct slice name, unsigned commands);
const struct option_row *moil_option_by_flag(char flag, unsigned commands);
const struct option_row *moil_option_by_key(const char *key);

/* The nearest names, for messages; NULL: none is near. Borrowed from the table. */
const char *moil_option_nearest(const char *wrong, unsigned commands);
const char *moil_option_nearest_key(const char *wrong);

#endif
