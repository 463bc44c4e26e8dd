/* The pidfile: held by an flock as long as its process lives, so that a stale one is told from a
 * live one.
 *
 * It is put in its place whole, with its number in it and locked. Called by super.c only. */
#ifndef MOIL_SUPER_PIDFILE_H
#define MOIL_SUPER_PIDFILE_H

#include <stddef.h>

/* 0, with the descriptor in *fd that holds the lock (close-on-exec); MOIL_ESTATE when a live
 * process holds the file, or MOIL_ESYS; with one line in errstr. */
int moil_pidfile_take(const char *path, int *fd, char *errstr, size_t errlen);

/* Removes it, unless somebody put another in its place, and closes the descriptor. */
void moil_pidfile_drop(const char *path, int fd);

#endif
