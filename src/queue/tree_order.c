/* tree_order.c: which nodes form a sequence, and what each sequence hangs on.
 *
 * What is known of a node is the one that it comes after, and of a group the last node of each
 * member. So sequences are followed upwards from a last node, the outermost first; what is left are
 * the callbacks, which are followed downwards. Each node is placed once, so that no loop in damaged
 * data is followed for ever. */
#include "queue/tree.h"

struct order {
    struct tree *tree;
    struct tree_node *first_group, *last_group; /* whose members are still to be placed */
    struct tree_node *last_root;
};

static void note_group(struct order *o, struct tree_node *n)
{
    if (!n->is_group || n->next_group || o->last_group == n)
        return;
    if (o->last_group)
        o->last_group->next_group = n;
    else
        o->first_group = n;
    o->last_group = n;
}

/* The sequence that ends with `last`; returns its first. Within a group it begins behind what the
 * whole group comes after. */
static struct tree_node *place_upwards(struct order *o, struct tree_node *last)
{
    struct tree_node *group = last->group, *n = last;
    last->is_placed = true;
    while (n->role == TREE_STEP && n->after.n > 0) {
        struct tree_node *before = moil_tree_find(o->tree, n->after);
        if (!before || before->is_placed || before == group ||
            (group && slice_eq(before->id, group->after)))
            break;
        before->is_placed = true;
        before->group = group;
        before->step = n;
        n = before;
    }
    for (struct tree_node *s = n; s; s = s->step)
        note_group(o, s);
    return n;
}

/* What goes on behind n: its group rather than the heads of that group's members. */
static struct tree_node *find_next(const struct tree_node *n)
{
    struct tree_node *found = NULL;
    for (struct tree_node *f = n->followers; f; f = f->next_follower) {
        if (f->role == TREE_STEP && !f->is_placed && !f->group &&
            (!found || (f->is_group && !found->is_group)))
            found = f;
    }
    return found;
}

static void place_downwards(struct order *o, struct tree_node *n)
{
    while (n) {
        n->is_placed = true;
        note_group(o, n);
        n->step = find_next(n);
        n = n->step;
    }
}

static void place_members(struct order *o)
{
    while (o->first_group) {
        struct tree_node *group = o->first_group;
        for (struct tree_node *m = group->members; m; m = m->next_member) {
            if (!m->is_placed)
                m->head = place_upwards(o, m);
        }
        o->first_group = group->next_group;
        group->next_group = NULL;
        if (!o->first_group)
            o->last_group = NULL;
    }
}

static void add_root(struct order *o, struct tree_node *head)
{
    if (o->last_root)
        o->last_root->next_link = head;
    else
        o->tree->roots = head;
    o->last_root = head;
}

static void add_link(struct tree_node *n, struct tree_node *head)
{
    struct tree_node **at = &n->links;
    while (*at)
        at = &(*at)->next_link;
    *at = head;
}

/* Backwards, so that each list is in the order of coming. */
static void find_followers(struct tree *t)
{
    struct tree_node *n = t->nodes ? ELMT_FROM_HH(t->nodes->hh.tbl, t->nodes->hh.tbl->tail) : NULL;
    for (; n; n = n->hh.prev) {
        struct tree_node *before = n->after.n ? moil_tree_find(t, n->after) : NULL;
        if (before && before != n) {
            n->next_follower = before->followers;
            before->followers = n;
        }
    }
}

/* What no sequence has reached yet: callbacks hang on their nodes, the rest stands beside the
 * workflow. */
static void place_rest(struct order *o, bool also_loops)
{
    for (struct tree_node *n = o->tree->nodes; n; n = n->hh.next) {
        struct tree_node *before = n->after.n ? moil_tree_find(o->tree, n->after) : NULL;
        bool is_link = n->role != TREE_STEP && before;
        if (n->is_placed || (!is_link && before && !before->is_placed && !also_loops))
            continue;
        place_downwards(o, n);
        if (is_link)
            add_link(before, n);
        else
            add_root(o, n);
        place_members(o);
    }
}

void moil_tree_order(struct tree *t, struct slice wid)
{
    struct order o = {.tree = t};
    struct tree_node *last = moil_tree_find(t, wid);
    find_followers(t);
    if (last) {
        add_root(&o, place_upwards(&o, last));
        place_members(&o);
    }
    place_rest(&o, false);
    place_rest(&o, true);
}
