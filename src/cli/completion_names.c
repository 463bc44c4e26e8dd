/* completion_names.c: tasks, queues and nodes (completion_names.h). */
#include "cli/completion_names.h"

#include <jansson.h>
#include <string.h>

#include "api/moil.h"

enum { NAMES_MAX = 1000 };

/* What a key press may cost where Redis does not answer. */
static const double DEADLINE_S = 0.3;

/* Whether a shell would take it as it is: a name comes from others, and is put on a command line.
 */
static bool is_harmless(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/@+-";
    return name[0] != '-' && name[strspn(name, allowed)] == '\0';
}

/* Where the names stand. */
static const struct {
    moil_view view;
    const char *key;
} sources[] = {
    [NAMES_TASKS] = {MOIL_VIEW_REGISTERED, "task"},
    [NAMES_QUEUES] = {MOIL_VIEW_QUEUES, "queue"},
    [NAMES_NODES] = {MOIL_VIEW_NODES, "node"},
};

static void add_rows(const struct completion *c, const char *key, const char *text,
                     struct buffer *out)
{
    json_t *rows = json_loads(text, JSON_ALLOW_NUL, NULL), *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        const char *name = json_string_value(json_object_get(row, key));
        if (name && is_harmless(name)) {
            moil_completion_add(c, name, "", out);
        }
    }
    json_decref(rows);
}

static void ask(const struct completion *c, enum completion_names which, const struct options *o,
                struct buffer *out)
{
    moil_client *client;
    char errstr[256], *text = NULL;
    moil_client_options options = {.url = o->redis, .ns = o->ns, .deadline = DEADLINE_S};
    if (moil_client_open(&client, &options, errstr, sizeof errstr) < 0) {
        return;
    }
    if (moil_inspect(client, sources[which].view, 0, NAMES_MAX, &text) >= 0) {
        add_rows(c, sources[which].key, text, out);
    }
    moil_free(text);
    moil_client_close(client);
}

void moil_completion_names_add(const struct completion *c, enum completion_names which,
                               enum command command, int argc, char **argv, struct buffer *out)
{
    char errstr[256];
    struct options o;
    /* Without the last word, and the option whose value it is. */
    int known = argc - (c->kind == COMPLETION_VALUE && argv[argc - 1] == c->typed ? 2 : 1);
    if (moil_options_load(&o, command, known > 1 ? known : 1, argv, errstr, sizeof errstr) == 0) {
        ask(c, which, &o, out);
    }
    moil_options_fini(&o);
}
