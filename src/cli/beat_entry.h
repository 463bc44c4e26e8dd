/* An entry of the schedule from what the command line says of it. Used by `moil beat add` and
 * `moil call --interval`. */
#ifndef MOIL_CLI_BEAT_ENTRY_H
#define MOIL_CLI_BEAT_ENTRY_H

#include <jansson.h>

#include "api/moil.h"
#include "cli/command.h"

/* Puts kwargs, queue, priority and at_front where they were said; the queue also as the config
 * file's routes have it. */
void moil_beat_entry_add_call(json_t *entry, const struct options *o, const char *task);

/* Puts text that is JSON of that kind ('[' or '{') under a key, or complains. */
enum exit_status moil_beat_entry_add_json(json_t *entry, const char *key, const char *text,
                                          char kind);

/* A number without a needless fraction: 5 and not 5.0. */
json_t *moil_beat_entry_number(double v);

/* Puts the entry, and tells how it went; from_start: it begins with its first due time, however
 * long ago. *rc: what moil_beat_put returned. */
enum exit_status moil_beat_entry_put(moil_client *client, const char *name, const json_t *entry,
                                     int from_start, int *rc);

#endif
