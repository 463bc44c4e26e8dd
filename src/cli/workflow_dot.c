/* Workflows for Graphviz: a job is a box, a group an ellipse that its members lead to, with a frame
 * around them.
 *
 * Edges are printed behind everything else: one within a frame would pull both its ends into it. */
#include "cli/workflow_dot.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "cli/output.h"
#include "cli/workflow_pick.h"
#include "cli/workflow_state.h"

struct graph {
    struct buffer nodes, edges;
};

static const char *text_of(const json_t *item, const char *key)
{
    const char *text = json_string_value(json_object_get(item, key));
    return text ? text : "";
}

/* Inside a string in quotes. Each backslash is doubled, as a label's \N and \G would mean
 * something.
 */
static void add_escaped(struct buffer *out, const char *s)
{
    struct buffer clean;
    moil_buffer_init(&clean);
    moil_output_clean(&clean, s, strlen(s));
    for (size_t i = 0; i < clean.len; i++) {
        if (clean.data[i] == '"' || clean.data[i] == '\\') {
            moil_buffer_add_char(out, '\\');
        }
        moil_buffer_add_char(out, clean.data[i]);
    }
    out->failed |= clean.failed;
    moil_buffer_fini(&clean);
}

static void add_quoted(struct buffer *out, const char *s)
{
    moil_buffer_add_char(out, '"');
    add_escaped(out, s);
    moil_buffer_add_char(out, '"');
}

static void add_edge(struct graph *g, const char *from, const char *to, const char *look)
{
    if (!from) {
        return;
    }
    moil_buffer_add_str(&g->edges, "  ");
    add_quoted(&g->edges, from);
    moil_buffer_add_str(&g->edges, " -> ");
    add_quoted(&g->edges, to);
    moil_buffer_addf(&g->edges, "%s;\n", look);
}

static void add_box(struct graph *g, const json_t *node)
{
    const char *state = text_of(node, "state");
    const json_t *states = json_object_get(node, "states");
    struct buffer *out = &g->nodes;
    moil_buffer_add_str(out, "  ");
    add_quoted(out, text_of(node, "id"));
    moil_buffer_add_str(out, " [label=\"");
    if (states) {
        moil_buffer_addf(out, "group %" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT,
                         moil_state_count_ended(states),
                         json_integer_value(json_object_get(node, "count")));
    } else {
        add_escaped(out, text_of(node, "task"));
    }
    moil_buffer_add_str(out, "\\n");
    add_escaped(out, state);
    moil_buffer_addf(out, "\", fillcolor=\"%s\"%s, tooltip=", moil_state_look(state)->fill,
                     states ? ", shape=ellipse" : "");
    add_quoted(out, text_of(node, "id"));
    moil_buffer_add_str(out, "];\n");
}

/* What a group's picture leaves out, as one box. */
static void add_rest(struct graph *g, const json_t *group, const struct pick *p, const char *before)
{
    struct buffer id;
    moil_buffer_init(&id);
    moil_buffer_addf(&id, "%s more", text_of(group, "id")); /* no id has a space */
    moil_buffer_add_str(&g->nodes, "  ");
    add_quoted(&g->nodes, moil_buffer_cstr(&id));
    moil_buffer_addf(&g->nodes, " [label=\"%zu more\\n", p->left_out_count);
    struct buffer counts;
    moil_buffer_init(&counts);
    moil_state_add_counts(&counts, p->left_out);
    add_escaped(&g->nodes, moil_buffer_cstr(&counts));
    moil_buffer_add_str(&g->nodes, "\", style=dashed];\n");
    add_edge(g, before, moil_buffer_cstr(&id), "");
    add_edge(g, moil_buffer_cstr(&id), text_of(group, "id"), "");
    moil_buffer_fini(&counts);
    moil_buffer_fini(&id);
}

static const char *add_sequence(struct graph *g, const json_t *item, const char *before,
                                const char *look);

/* A frame with the members; each comes after `before`, where there is that, and leads to the group.
 */
static void add_members(struct graph *g, const json_t *group, const char *before)
{
    const char *id = text_of(group, "id");
    struct pick p = {.list = json_object_get(group, "members")};
    moil_buffer_add_str(&g->nodes, "  subgraph \"cluster ");
    add_escaped(&g->nodes, id);
    moil_buffer_add_str(&g->nodes, "\" {\n");
    const json_t *member = moil_pick_next(&p);
    if (!member) {
        add_edge(g, before, id, "");
    }
    for (; member; member = moil_pick_next(&p)) {
        add_edge(g, add_sequence(g, member, before, ""), id, "");
    }
    if (p.left_out_count > 0) {
        add_rest(g, group, &p, before);
    }
    add_box(g, group);
    moil_buffer_add_str(&g->nodes, "  }\n");
    moil_pick_fini(&p);
}

/* Returns the id, from which what follows comes. */
static const char *add_node(struct graph *g, const json_t *node, const char *before,
                            const char *look)
{
    const char *id = text_of(node, "id");
    const json_t *link;
    size_t i;
    if (json_object_get(node, "states")) {
        add_members(g, node, before);
    } else {
        add_box(g, node);
        add_edge(g, before, id, look);
    }
    json_array_foreach(json_object_get(node, "links"), i, link)
    {
        const json_t *steps = json_object_get(link, "steps");
        const json_t *first = steps ? json_array_get(steps, 0) : link;
        bool is_error = strcmp(text_of(first, "on"), "failure") == 0;
        add_sequence(g, link, id,
                     is_error ? " [style=dashed, color=\"#c0392b\"]" : " [style=dashed]");
    }
    return id;
}

static const char *add_sequence(struct graph *g, const json_t *item, const char *before,
                                const char *look)
{
    const json_t *steps = json_object_get(item, "steps"), *step;
    size_t i;
    if (!steps) {
        return add_node(g, item, before, look);
    }
    json_array_foreach(steps, i, step)
    {
        before = add_node(g, step, before, i == 0 ? look : "");
    }
    return before;
}

int moil_workflow_dot_print(const json_t *workflow)
{
    struct graph g;
    const json_t *item;
    size_t i;
    moil_buffer_init(&g.nodes);
    moil_buffer_init(&g.edges);
    moil_buffer_add_str(&g.nodes, "digraph ");
    add_quoted(&g.nodes, text_of(workflow, "id"));
    moil_buffer_add_str(&g.nodes, " {\n"
                                  "  rankdir=LR;\n"
                                  "  node [shape=box, style=\"rounded,filled\", fillcolor=white, "
                                  "fontname=\"sans-serif\"];\n");
    json_array_foreach(json_object_get(workflow, "tree"), i, item)
    {
        add_sequence(&g, item, NULL, "");
    }
    moil_buffer_add_slice(&g.nodes, moil_buffer_slice(&g.edges));
    moil_buffer_add_str(&g.nodes, "}\n");
    bool failed = g.nodes.failed || g.edges.failed;
    if (!failed) {
        fwrite(g.nodes.data, 1, g.nodes.len, stdout);
    }
    moil_buffer_fini(&g.nodes);
    moil_buffer_fini(&g.edges);
    return failed ? MOIL_ENOMEM : 0;
}
