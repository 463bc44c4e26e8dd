/* Names that only Redis knows, for completion: tasks, queues and nodes. Called by completion.c. */
#ifndef MOIL_CLI_COMPLETION_NAMES_H
#define MOIL_CLI_COMPLETION_NAMES_H

#include "conf/completion.h"

enum completion_names { NAMES_TASKS, NAMES_QUEUES, NAMES_NODES };

/* Adds those that begin with what is typed, from the Redis that the words before it (and the config
 * file, and the environment) say, which has 0.3 s; nothing where it does not answer, or where those
 * words are wrong. They are as for moil_completion_find. */
void moil_completion_names_add(const struct completion *c, enum completion_names which,
                               enum command command, int argc, char **argv, struct buffer *out);

#endif
