/* A workflow as people see it: what comes after what, what is in which group, and how far each is.
 *
 * Filled from the replies of workflow.lua and gather.lua, then put in order, then read. Used by
 * api/workflow.c. Pure: it sends nothing, and what is damaged or does not fit together is still
 * shown, as far as it goes. tree.c fills it, tree_order.c puts it in order, tree_json.c tells it.
 */
#ifndef MOIL_QUEUE_TREE_H
#define MOIL_QUEUE_TREE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/hash.h"
#include "base/slice.h"
#include "net/reply.h"

enum { MOIL_TREE_NODES_MAX = 250000 };

/* How a node hangs on the one that it comes after. */
enum tree_role {
    TREE_STEP,  /* as the next of a chain, or not at all */
    TREE_LINK,  /* link: released when it succeeds */
    TREE_ERROR, /* link_error: released when it fails */
};

struct tree_node {
    UT_hash_handle hh; /* by id, in the order of their coming */
    enum tree_role role;
    bool is_group;
    bool is_placed;                  /* it is part of a sequence */
    struct slice id, after;          /* after: empty where it comes after nothing */
    struct slice task, state;        /* empty: unknown */
    json_t *error;                   /* {"code", "message", …}; NULL: not known */
    struct tree_node *group;         /* whose member its sequence is, or NULL */
    struct tree_node *step;          /* the next of its sequence */
    struct tree_node *head;          /* of a member: the first of its sequence, where it is told */
    struct tree_node *followers;     /* those that come after it … */
    struct tree_node *next_follower; /* … and the next of its equals */
    struct tree_node *links, *next_link;                   /* heads of sequences */
    struct tree_node *members, *last_member, *next_member; /* of a group: lasts of sequences */
    struct tree_node *next_group;                          /* still to be ordered */
    char text[];
};

struct tree {
    struct tree_node *nodes; /* a hash */
    struct tree_node *roots; /* heads, by next_link; the workflow's own first */
};

void moil_tree_init(struct tree *t);
void moil_tree_fini(struct tree *t);

/* One node, by its line (ID KIND AFTER TASK). 0, MOIL_EBADMSG, MOIL_ETOOLARGE or MOIL_ENOMEM. */
int moil_tree_add_line(struct tree *t, struct slice line, struct slice state);

/* One page of workflow.lua: total, then line, state for each node that is no plain member. Sets
 * *total. 0, or an error as above. */
int moil_tree_take_lines(struct tree *t, const struct reply *page, size_t *total);

/* One page of gather.lua (states and tasks): total, open, then id, state, task for each member. */
int moil_tree_take_members(struct tree *t, struct tree_node *group, const struct reply *page,
                           size_t *total);

/* NULL: there is none of that id. */
struct tree_node *moil_tree_find(const struct tree *t, struct slice id);

/* A failed job's error, as the JSON text of its record. Of what is no error object, nothing is
 * kept. */
void moil_tree_set_error(struct tree_node *n, struct slice json);

/* Puts all that was taken in order, once. `wid` is the node that ends the workflow. */
void moil_tree_order(struct tree *t, struct slice wid);

/* The whole as JSON (moil.h: moil_inspect_workflow says how); NULL: out of memory. moil_mem_free()
 * it. */
char *moil_tree_json(const struct tree *t, struct slice wid);

#endif
