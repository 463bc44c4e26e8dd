/* workflow.c: see workflow.h. */
#include "cli/workflow.h"

#include <jansson.h>
#include <string.h>

#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/output.h"
#include "cli/workflow_dot.h"
#include "cli/workflow_text.h"

static void print_lines(const json_t *list);

/* A node without what hangs on it, then that. */
static void print_node_lines(const json_t *node)
{
    static const char *const lists[] = {"steps", "members", "links"};
    json_t *alone = json_copy((json_t *)node);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        json_object_del(alone, lists[i]);
    }
    if (json_object_get(alone, "id")) {
        moil_output_json(alone);
    }
    json_decref(alone);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        print_lines(json_object_get(node, lists[i]));
    }
}

static void print_lines(const json_t *list)
{
    const json_t *node;
    size_t i;
    json_array_foreach(list, i, node)
    {
        print_node_lines(node);
    }
}

enum exit_status moil_workflow_print(const struct options *o, moil_client *client)
{
    char *text = NULL;
    int rc = moil_inspect_workflow(client, o->operands[1], &text);
    if (rc < 0) {
        return moil_connection_failed(client, rc, NULL);
    }
    json_t *workflow = json_loads(text, JSON_ALLOW_NUL, NULL);
    moil_free(text);
    if (!json_is_object(workflow)) {
        rc = MOIL_STATUS_NOMEM;
    } else if (o->json) {
        print_lines(json_object_get(workflow, "tree"));
    } else if (o->dot) {
        rc = moil_workflow_dot_print(workflow);
    } else {
        rc = moil_workflow_text_print(workflow, moil_output_width());
    }
    json_decref(workflow);
    if (rc < 0) {
        moil_complain("%s", moil_status_text(rc));
    }
    return moil_exit_status(rc);
}
