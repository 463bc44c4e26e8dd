/* `moil beat VERB`: what is done with entries of run time. Called by cmd_beat.c; the operands begin
 * with the verb. */
#ifndef MOIL_CLI_BEAT_VERBS_H
#define MOIL_CLI_BEAT_VERBS_H

#include "cli/command.h"

enum exit_status moil_beat_verb_add(const struct options *o);
enum exit_status moil_beat_verb_remove(const struct options *o);
enum exit_status moil_beat_verb_pause(const struct options *o);
enum exit_status moil_beat_verb_resume(const struct options *o);
enum exit_status moil_beat_verb_list(const struct options *o);
enum exit_status moil_beat_verb_history(const struct options *o);

/* STATUS_DONE, or complains of an option that only `add` takes. */
enum exit_status moil_beat_refuse_fields(const struct options *o);

#endif
