/* What a short-lived child process says: a text through a pipe, within a time. */
#ifndef MOIL_API_CHILD_TEXT_H
#define MOIL_API_CHILD_TEXT_H

#include <stdbool.h>

#include "base/buffer.h"

/* Writes the text into its pipe and ends the child. */
_Noreturn void moil_child_say(int fd, struct buffer *text, int status);

/* Forks; in the child calls run(data, fd), which does not return. Reads what it says into `text`
 * until it has ended; killed after timeout_ms, and sent SIGTERM when this thread ends. 1, and the
 * status as of waitpid; 0: the time was up first; -1: it could not be made, errno says why. */
int moil_child_listen(void (*run)(void *data, int fd), void *data, double timeout_ms,
                      struct buffer *text, int *wait_status);

#endif
