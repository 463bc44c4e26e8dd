/* `moil dead list|retry|delete`: the jobs that failed for good. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/output.h"
#include "cli/views.h"

typedef int dead_call(moil_client *client, const char *id, const char *task, size_t *count);

struct verb {
    const char *name;
    const char *done;
    dead_call *call; /* NULL: list */
};

static const struct verb verbs[] = {
    {"list", NULL, NULL},
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

/* Exactly one of ID, --task and --all, so that nobody retries everything by a slip. */
static enum exit_status check_choice(const struct options *o, const struct verb *verb)
{
    int choices = (o->operand_count == 2) + (o->task != NULL) + o->all;
    if (!verb->call && choices > 0) {
        return moil_complain_usage("`moil dead list` takes neither an ID nor --task nor --all");
    }
    if (verb->call && choices != 1) {
        return moil_complain_usage("`moil dead %s` needs %s: an ID, --task NAME or --all",
                                   verb->name, choices == 0 ? "one of these" : "only one of these");
    }
    return STATUS_DONE;
}

static enum exit_status check(const struct options *o, const struct verb **verb)
{
    enum exit_status status = moil_check_operands(o, 1, 2, "list, retry or delete");
    if (status != STATUS_DONE) {
        return status;
    }
    *verb = find_verb(o->operands[0]);
    if (!*verb) {
        return moil_complain_usage("`moil dead` knows list, retry and delete, and not \"%s\"",
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

static enum exit_status apply(const struct options *o, const struct verb *verb, moil_client *client)
{
    const char *id = o->operand_count == 2 ? o->operands[1] : NULL;
    size_t count = 0;
    int rc = verb->call(client, id, o->task, &count);
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
    status = verb->call ? apply(o, verb, client) : moil_view_print(o, client, MOIL_VIEW_DEAD);
    moil_client_close(client);
    return status;
}
