/* The commands: one function each, in cmd_<name>.c, found through the table in commands.c.
 *
 * A command gets its options, talks to the library through api/moil.h alone, and returns the exit
 * status. */
#ifndef MOIL_CLI_COMMAND_H
#define MOIL_CLI_COMMAND_H

#include <stddef.h>

#include "base/buffer.h"
#include "conf/options.h"

/* The promised exit codes. */
enum exit_status {
    STATUS_DONE = 0,
    STATUS_JOB_FAILED = 1,
    STATUS_USAGE = 2,
    STATUS_NO_REDIS = 3,
    STATUS_TIMED_OUT = 4,
    STATUS_UNKNOWN = 5,
    STATUS_CHECK_FAILED = 6,
};

/* What the first operand may be: a subcommand, or a view. Help, man pages and completion show it.
 */
struct verb_row {
    const char *name;
    const char *operands; /* behind it, as the usage line shows them; "" */
    const char *summary;  /* one line, no full stop */
};

struct command_row {
    const char *name;
    enum command command;
    enum exit_status (*run)(const struct options *o);
    const char *operands;         /* as the usage line shows them */
    const char *summary;          /* one line for the list of commands */
    const char *details;          /* more for `moil help COMMAND`, lines of at most 100; or NULL */
    const struct verb_row *verbs; /* up to one without a name; or NULL */
};

extern const struct command_row moil_commands[];
extern const size_t moil_command_count;

/* NULL when there is none of that name. */
const struct command_row *moil_command_find(const char *name);

/* The known name nearest to a wrong one, or NULL. */
const char *moil_command_nearest(const char *wrong);

/* `moil --help`, and `moil help COMMAND`; in usage.c. */
void moil_command_list(struct buffer *out);
void moil_command_help(const struct command_row *row, struct buffer *out);

enum exit_status moil_cmd_worker(const struct options *o);
enum exit_status moil_cmd_dev(const struct options *o);
enum exit_status moil_cmd_call(const struct options *o);
enum exit_status moil_cmd_result(const struct options *o);
enum exit_status moil_cmd_revoke(const struct options *o);
enum exit_status moil_cmd_reschedule(const struct options *o);
enum exit_status moil_cmd_purge(const struct options *o);
enum exit_status moil_cmd_pause(const struct options *o);
enum exit_status moil_cmd_resume(const struct options *o);
enum exit_status moil_cmd_why(const struct options *o);
enum exit_status moil_cmd_doctor(const struct options *o);
enum exit_status moil_cmd_top(const struct options *o);
enum exit_status moil_cmd_inspect(const struct options *o);
enum exit_status moil_cmd_dead(const struct options *o);
enum exit_status moil_cmd_beat(const struct options *o);
enum exit_status moil_cmd_control(const struct options *o);
enum exit_status moil_cmd_events(const struct options *o);
enum exit_status moil_cmd_check(const struct options *o);
enum exit_status moil_cmd_new(const struct options *o);
enum exit_status moil_cmd_replay(const struct options *o);

#endif
