/* `moil beat FILE`: the schedule alone; and what is to be said of schedules, verb by verb. */
#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/beat_verbs.h"
#include "cli/complaint.h"
#include "cli/output.h"
#include "cli/runtime.h"
#include "cli/table.h"
#include "conf/suggest.h"

/* --- next ------------------------------------------------------------------------------------- */

static void print_runs(const json_t *runs, bool json)
{
    static const struct table_column columns[] = {
        {"ENTRY", "entry", CELL_TEXT},
        {"TASK", "task", CELL_TEXT},
        {"DUE", "local", CELL_TEXT},
    };
    size_t i;
    json_t *row;
    if (!json) {
        moil_table_print(columns, sizeof columns / sizeof *columns, runs, moil_output_width(), 0);
        return;
    }
    json_array_foreach(runs, i, row)
    {
        moil_output_json(row);
    }
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static enum exit_status next(const struct options *o)
{
    char errstr[1024], *json, *text;
    enum exit_status status = moil_check_operands(o, 2, 2, "the beat file");
    if (status != STATUS_DONE) {
        return status;
    }
    if (moil_beat_read(o->operands[1], &json, errstr, sizeof errstr) != 0) {
        moil_complain("%s", errstr);
        return STATUS_CHECK_FAILED;
    }
    double from = o->from >= 0 ? o->from : now();
    int rc = moil_beat_next(json, from, (size_t)o->count, &text, errstr, sizeof errstr);
    moil_free(json);
    if (rc < 0) {
        moil_complain("%s", errstr);
        return STATUS_CHECK_FAILED;
    }
    json_t *runs = json_loads(text, JSON_ALLOW_NUL, NULL);
    print_runs(runs, o->json);
    json_decref(runs);
    moil_free(text);
    return STATUS_DONE;
}

/* --- the verbs -------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum exit_status (*run)(const struct options *o);
} verbs[] = {
    {"add", moil_beat_verb_add},
    {"remove", moil_beat_verb_remove},
    {"pause", moil_beat_verb_pause},
    {"resume", moil_beat_verb_resume},
    {"list", moil_beat_verb_list},
    {"history", moil_beat_verb_history},
    {"next", next},
};

enum { VERBS = sizeof verbs / sizeof *verbs };

/* What is no verb is the name of a file. */
static enum exit_status run_file(const struct options *o)
{
    const char *names[VERBS], *file = o->operands[0];
    enum exit_status status = moil_check_operands(o, 1, 1, "the beat file");
    if (status != STATUS_DONE) {
        return status;
    }
    for (size_t i = 0; i < VERBS; i++) {
        names[i] = verbs[i].name;
    }
    const char *nearest = moil_nearest_name(file, names, VERBS);
    if (access(file, R_OK) == 0) {
        return moil_runtime_start(o, NULL, 0);
    }
    if (nearest) {
        return moil_complain_usage(
            "there is no beat file \"%s\" here: did you mean `moil beat %s`?", file, nearest);
    }
    return moil_complain_usage("cannot read the beat file %s: %s", file, strerror(errno));
}

enum exit_status moil_cmd_beat(const struct options *o)
{
    enum exit_status status = moil_check_operands(o, 1, SIZE_MAX, "a beat file, or a verb,");
    if (status != STATUS_DONE) {
        return status;
    }
    if (strcmp(o->operands[0], "add") != 0) {
        status = moil_beat_refuse_fields(o);
    }
    for (size_t i = 0; i < VERBS && status == STATUS_DONE; i++) {
        if (strcmp(o->operands[0], verbs[i].name) == 0) {
            return verbs[i].run(o);
        }
    }
    return status == STATUS_DONE ? run_file(o) : status;
}
