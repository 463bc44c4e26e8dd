/* man_files.c: moil.lua(5) and beat(5) (man.h). The keys of the first are rows of the option table.
 * The fields of an entry are those that beat/entry_fields.c reads; a spec compares. */
#include "cli/man.h"
#include "conf/roff.h"

static const char see_also[] =
    ".SH SEE ALSO\n"
    "\\fBmoil\\fR(1),\n\\fBmoil\\-worker\\fR(1),\n\\fBmoil\\-beat\\fR(1),\n";

struct field_row {
    const char *name;
    const char *help; /* no full stop */
};

static void add_fields(struct buffer *out, const struct field_row *row)
{
    for (; row->name; row++) {
        moil_buffer_add_str(out, ".TP\n");
        moil_roff_add_bold(out, row->name);
        moil_buffer_add_char(out, '\n');
        moil_roff_add_str(out, row->help);
        moil_buffer_add_str(out, ".\n");
    }
}

/* --- moil.lua(5) -------------------------------------------------------------------------------
 */

static const struct field_row config_tables[] = {
    {"routes", "which queue the jobs of a task go to: { [\"img.*\"] = \"images\" }"},
    {"task_defaults", "options for every task: { result_ttl = 3600 }"},
    {0},
};

void moil_man_config_file(struct buffer *out)
{
    moil_man_begin(out, "moil.lua", 5, "the config file of moil");
    moil_buffer_add_str(out, ".SH DESCRIPTION\n");
    moil_roff_add_paragraphs(
        out,
        "A config file is Lua that returns a table of options. `moil` reads the one that "
        "`--config`\nor the environment variable `MOIL_CONFIG` names, else `moil.lua` in the "
        "current folder where there is one.\n\n"
        "Each option takes its value from the last of these that says something: its default, "
        "the\nconfig file, the environment, the command line.\n\n"
        "The file sees the `string`, `table` and `math` libraries, and has 1 s and 16 MB. A key "
        "that\nis none of the following is an error.\n");
    moil_buffer_add_str(out, ".SH KEYS\n");
    moil_options_man_keys(out);
    add_fields(out, config_tables);
    moil_buffer_add_str(out, ".SH EXAMPLES\n");
    moil_roff_add_paragraphs(out, "  return {\n"
                                  "    redis = \"redis://127.0.0.1:6379/0\",\n"
                                  "    queues = { \"high\", \"default\", \"images\" },\n"
                                  "    workers = 4,\n"
                                  "    routes = { [\"img.*\"] = \"images\" },\n"
                                  "    task_defaults = { result_ttl = 3600 },\n"
                                  "  }\n");
    moil_buffer_add_str(out, see_also);
    moil_buffer_add_str(out, "\\fBbeat\\fR(5)\n");
}

/* --- beat(5) -----------------------------------------------------------------------------------
 */

static const struct field_row file_fields[] = {
    {"timezone", "the time zone of all entries that say no other; default: UTC"},
    {"schedule", "the entries, each under its name: 1 to 200 printable ASCII characters without "
                 "spaces"},
    {0},
};

static const struct field_row timings[] = {
    {"every", "every so many seconds, 0.01 at least"},
    {"cron", "when a cron expression says so: five fields, or six with the second first"},
    {"solar", "when the sun does so: { \"sunset\", 31.23, 121.47 }"},
    {"at", "once, at a point in time: 2030-01-01T09:00:00+08:00"},
    {0},
};

static const struct field_row entry_fields[] = {
    {"task", "the name of the task; every entry has one"},
    {"args", "its positional arguments, a list"},
    {"kwargs", "one more argument, names and values"},
    {"timezone", "a name of the tz database, for cron and for points in time without an offset"},
    {"start", "nothing is due before"},
    {"stop", "nothing is due after"},
    {"queue", "the queue; default: as the task or a route says"},
    {"priority", "0 to 9, higher goes first"},
    {"at_front", "in front of the jobs of its priority"},
    {"expires", "seconds after its due time from which a run is not started any more"},
    {"headers", "names and values that the job sees as self.headers"},
    {"retry", "a retry policy, or false for none"},
    {"time_limit", "seconds after which a run is ended, or false for none"},
    {"soft_time_limit", "seconds after which SoftTimeLimitExceeded is raised in a run"},
    {"result_ttl", "seconds that the result is kept, 0 for not at all"},
    {"ignore_result", "keep no result"},
    {"max_deliveries", "how often a run may be delivered whose worker dies"},
    {"catch_up",
     "what becomes of runs that fell due while no scheduler ran: \"one\" (the default), "
     "the latest of them runs; \"all\", each does; \"none\", none does"},
    {"overlap", "false: a run is left out while the one before it still goes"},
    {"max_runs", "so many runs, and no more"},
    {"jitter", "each run is put off by a random time up to so many seconds"},
    {"paused", "true: nothing runs until the entry is resumed"},
    {0},
};

void moil_man_beat_file(struct buffer *out)
{
    moil_man_begin(out, "beat", 5, "a schedule for moil");
    moil_buffer_add_str(out, ".SH DESCRIPTION\n");
    moil_roff_add_paragraphs(
        out,
        "A beat file is Lua that returns a table of entries. `moil beat FILE` runs it, `moil "
        "worker\n--beat FILE` does so beside its jobs, and `moil beat next FILE` shows what it "
        "will bring. Any\nnumber of nodes may run the same file: each run happens once.\n\n"
        "The file has 1 s and 64 MB, and Lua without what reads files or loads code.\n");
    moil_buffer_add_str(out, ".SH FIELDS OF THE FILE\n");
    add_fields(out, file_fields);
    moil_buffer_add_str(out, ".SH WHEN AN ENTRY IS DUE\nEach entry has one of these:\n");
    add_fields(out, timings);
    moil_buffer_add_str(out, ".SH FIELDS OF AN ENTRY\n");
    add_fields(out, entry_fields);
    moil_buffer_add_str(out, ".SH EXAMPLES\n");
    moil_roff_add_paragraphs(
        out,
        "  return {\n"
        "    timezone = \"Asia/Shanghai\",\n"
        "    schedule = {\n"
        "      [\"every-5s\"] = { task = \"report.tick\", every = 5 },\n"
        "      [\"noon\"] = { task = \"report.daily\", cron = \"0 12 * * *\", expires = 600 },\n"
        "      [\"sunset\"] = { task = \"lights.on\", solar = { \"sunset\", 31.23, 121.47 } },\n"
        "      [\"once\"] = { task = \"mail.remind\", at = \"2030-01-01T09:00:00+08:00\" },\n"
        "    },\n"
        "  }\n");
    moil_buffer_add_str(out, see_also);
    moil_buffer_add_str(out, "\\fBmoil.lua\\fR(5)\n");
}
