/* `moil dead list|show|retry|delete`: the jobs that failed for good. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/output.h"
#include "cli/progress_bar.h"
#include "cli/views.h"

typedef int dead_call(moil_client *client, const char *id, const char *task, size_t *count);

struct verb {
    const char *name;
    const char *done;
    dead_call *call; /* NULL: it only shows */
};

static const struct verb verbs[] = {
    {"list", NULL, NULL},
    {"show", NULL, NULL},
    {"retry", "retried", moil_dead_retry},
    {"delete", "deleted", moil_dead_delete},
};

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

static bool is(const struct verb *verb, const char *name)
{
    return strcmp(verb->name, name) == 0;
}

/* To change something exactly one of ID, --task and --all, so that nobody retries everything by a
 * slip. */
static enum exit_status check_choice(const struct options *o, const struct verb *verb)
{
    bool has_id = o->operand_count == 2;
    int choices = has_id + (o->task != NULL) + o->all;
    if (is(verb, "list") && (has_id || o->all)) {
        return moil_complain_usage("`moil dead list` takes --task and --queue, and neither an ID "
                                   "nor --all");
    }
    if (is(verb, "show") && (!has_id || choices != 1 || o->queue)) {
        return moil_complain_usage("`moil dead show` needs an ID, and nothing else");
    }
    if (verb->call && o->queue) {
        return moil_complain_usage("--queue goes with: moil dead list");
    }
    if (verb->call && choices != 1) {
        return moil_complain_usage("`moil dead %s` needs %s: an ID, --task NAME or --all",
                                   verb->name, choices == 0 ? "one of these" : "only one of these");
    }
    return STATUS_DONE;
}

static enum exit_status check(const struct options *o, const struct verb **verb)
{
    enum exit_status status = moil_check_operands(o, 1, 2, "list, show, retry or delete");
    if (status != STATUS_DONE) {
        return status;
    }
    *verb = find_verb(o->operands[0]);
    if (!*verb) {
        return moil_complain_usage("`moil dead` knows list, show, retry and delete, and not \"%s\"",
                                   o->operands[0]);
    }
    return check_choice(o, *verb);
}

static void print_count(const struct options *o, const struct verb *verb, size_t count)
{
    if (!o->json) {
        printf("%s %zu job%s\n", verb->done, count, count == 1 ? "" : "s");
        return;
    }
    json_t *object = json_pack("{s:I}", verb->done, (json_int_t)count);
    if (object) {
        moil_output_json(object);
    }
    json_decref(object);
}

static int step_cb(void *data, size_t done, size_t total)
{
    char text[64];
    snprintf(text, sizeof text, "%zu of %zu jobs", done, total);
    moil_progress_bar_draw(data, (double)done, (double)total, text);
    return 0;
}

static enum exit_status apply(const struct options *o, const struct verb *verb, moil_client *client)
{
    const char *id = o->operand_count == 2 ? o->operands[1] : NULL;
    size_t count = 0;
    struct progress_bar bar;
    moil_progress_bar_init(&bar, !o->json);
    moil_client_on_step(client, step_cb, &bar);
    int rc = verb->call(client, id, o->task, &count);
    moil_client_on_step(client, NULL, NULL);
    moil_progress_bar_clear(&bar);
    if (rc == MOIL_STATUS_UNKNOWN || (rc == 0 && id && count == 0)) {
        moil_complain("no job in the dead set has the id %s (`moil dead list` shows them)", id);
        return STATUS_UNKNOWN;
    }
    if (rc < 0) {
        return moil_connection_failed(client, rc, id);
    }
    print_count(o, verb, count);
    return STATUS_DONE;
}

enum exit_status moil_cmd_dead(const struct options *o)
{
    moil_client *client;
    const struct verb *verb = NULL;
    enum exit_status status = check(o, &verb);
    if (status == STATUS_DONE) {
        status = moil_connection_open(o, &client);
    }
    if (status != STATUS_DONE) {
        return status;
    }
    status = verb->call         ? apply(o, verb, client)
             : is(verb, "show") ? moil_view_print_job(o, client, o->operands[1], true)
                                : moil_view_print(o, client, MOIL_VIEW_DEAD);
    moil_client_close(client);
    return status;
}
