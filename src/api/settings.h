/* The runtime's options: their defaults, what is wrong with them, and how those of a generation
 * travel in its snapshot from the check child to the workers. Called by the other runtime files. */
#ifndef MOIL_API_SETTINGS_H
#define MOIL_API_SETTINGS_H

#include "api/moil.h"
#include "base/buffer.h"
#include "vm/snapshot.h"

/* Replaces what means a default by that; strings stay borrowed. */
void moil_settings_fill(moil_runtime_options *o);

/* What is wrong with options alone: 0, or MOIL_EINVAL with one line in errstr. */
int moil_settings_check(const moil_runtime_options *o, char *errstr, size_t errlen);

/* Gives `next` what cannot change while a node runs: where Redis is, names, the pidfile, … */
void moil_settings_keep(moil_runtime_options *next, const moil_runtime_options *running);

/* Into a draft, and from a snapshot of the same program: the strings are borrowed from it; paths
 * stay as they are. False when there are none. */
void moil_settings_pack(const moil_runtime_options *o, struct buffer *draft);
bool moil_settings_unpack(const struct snapshot *s, moil_runtime_options *o);

#endif
