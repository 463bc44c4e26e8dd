/* tree_json.c: the tree in order, as JSON. Its shape is the one that moil.h promises. */
#include <stdlib.h>

#include "base/json_dump.h"
#include "queue/tree.h"

/* Groups in groups: readers of JSON bound how deep it may nest. */
enum { DEPTH_MAX = 100 };

static json_t *text_of(struct slice s)
{
    json_t *text = json_stringn(s.p, s.n);
    return text ? text : json_string("?"); /* not UTF-8 */
}

static void set_text(json_t *o, const char *key, struct slice s)
{
    if (s.n > 0)
        json_object_set_new(o, key, text_of(s));
}

static void count_state(json_t *states, const struct tree_node *n)
{
    json_t *name = n->state.n ? text_of(n->state) : json_string("UNKNOWN");
    const char *key = json_string_value(name);
    json_int_t before = key ? json_integer_value(json_object_get(states, key)) : 0;
    if (key)
        json_object_set_new(states, key, json_integer(before + 1));
    json_decref(name);
}

static json_t *sequence_json(const struct tree_node *head, int depth);

static void add_members(json_t *o, const struct tree_node *group, int depth)
{
    json_t *members = json_array(), *states = json_object();
    json_int_t count = 0;
    for (const struct tree_node *m = group->members; m; m = m->next_member) {
        count++;
        count_state(states, m);
        if (m->head && depth < DEPTH_MAX)
            json_array_append_new(members, sequence_json(m->head, depth + 1));
    }
    json_object_set_new(o, "count", json_integer(count));
    json_object_set_new(o, "states", states);
    json_object_set_new(o, "members", members);
}

static json_t *node_json(const struct tree_node *n, int depth)
{
    json_t *o = json_object();
    set_text(o, "id", n->id);
    json_object_set_new(o, "kind", json_string(n->is_group ? "group" : "job"));
    if (!n->is_group)
        set_text(o, "task", n->task);
    set_text(o, "state", n->state.n ? n->state : slice_str("UNKNOWN"));
    set_text(o, "after", n->after);
    if (n->role != TREE_STEP)
        json_object_set_new(o, "on", json_string(n->role == TREE_LINK ? "success" : "failure"));
    if (n->group)
        set_text(o, "group", n->group->id);
    if (n->error)
        json_object_set(o, "error", n->error);
    if (n->is_group)
        add_members(o, n, depth);
    if (n->links && depth < DEPTH_MAX) {
        json_t *links = json_array();
        for (const struct tree_node *l = n->links; l; l = l->next_link)
            json_array_append_new(links, sequence_json(l, depth + 1));
        json_object_set_new(o, "links", links);
    }
    return o;
}

/* One node as itself, several as a chain. */
static json_t *sequence_json(const struct tree_node *head, int depth)
{
    if (!head->step)
        return node_json(head, depth);
    json_t *steps = json_array();
    for (const struct tree_node *n = head; n; n = n->step)
        json_array_append_new(steps, node_json(n, depth));
    return json_pack("{s:s, s:o}", "kind", "chain", "steps", steps);
}

char *moil_tree_json(const struct tree *t, struct slice wid)
{
    json_t *o = json_object(), *states = json_object(), *tree = json_array();
    json_int_t jobs = 0;
    for (const struct tree_node *n = t->nodes; n; n = n->hh.next) {
        if (!n->is_group) {
            jobs++;
            count_state(states, n);
        }
    }
    for (const struct tree_node *n = t->roots; n; n = n->next_link)
        json_array_append_new(tree, sequence_json(n, 0));
    set_text(o, "id", wid);
    json_object_set_new(o, "jobs", json_integer(jobs));
    json_object_set_new(o, "states", states);
    json_object_set_new(o, "tree", tree);
    char *text = moil_json_dump(o, JSON_COMPACT);
    json_decref(o);
    return text;
}
