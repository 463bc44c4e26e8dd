/* tree.c: see tree.h. The nodes, and the two replies that they come from. */
#include "queue/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

void moil_tree_init(struct tree *t)
{
    *t = (struct tree){0};
}

void moil_tree_fini(struct tree *t)
{
    struct tree_node *n = t->nodes, *next;
    HASH_CLEAR(hh, t->nodes); /* the table alone: its items are still linked */
    for (; n; n = next) {
        next = n->hh.next;
        json_decref(n->error);
        moil_mem_free(n);
    }
    t->roots = NULL;
}

struct tree_node *moil_tree_find(const struct tree *t, struct slice id)
{
    struct tree_node *n;
    HASH_FIND(hh, t->nodes, id.p, id.n, n);
    return n;
}

static struct slice keep(char **at, struct slice s)
{
    char *copy = *at;
    if (s.n > 0)
        memcpy(copy, s.p, s.n);
    *at += s.n;
    return slice_of(copy, s.n);
}

/* A copy of what `like` says, in the tree. 0, or why not. */
static int add(struct tree *t, const struct tree_node *like, struct tree_node **out)
{
    size_t size = like->id.n + like->after.n + like->task.n + like->state.n;
    if (HASH_COUNT(t->nodes) >= MOIL_TREE_NODES_MAX)
        return MOIL_ETOOLARGE;
    struct tree_node *n = moil_mem_zalloc(1, sizeof *n + size);
    if (!n)
        return MOIL_ENOMEM;
    char *at = n->text;
    n->role = like->role;
    n->is_group = like->is_group;
    n->id = keep(&at, like->id);
    n->after = keep(&at, like->after);
    n->task = keep(&at, like->task);
    n->state = keep(&at, like->state);
    HASH_ADD_KEYPTR(hh, t->nodes, n->id.p, n->id.n, n);
    if (!n->hh.tbl) {
        moil_mem_free(n);
        return MOIL_ENOMEM;
    }
    *out = n;
    return 0;
}

/* The next word of a line, whose words are separated by one space each. */
static struct slice take_word(struct slice *line)
{
    const char *space = line->n ? memchr(line->p, ' ', line->n) : NULL;
    struct slice word = slice_of(line->p, space ? (size_t)(space - line->p) : line->n);
    *line = space ? slice_of(space + 1, line->n - word.n - 1) : slice_of(line->p + line->n, 0);
    return word;
}

int moil_tree_add_line(struct tree *t, struct slice line, struct slice state)
{
    struct tree_node like = {.state = state}, *n;
    like.id = take_word(&line);
    struct slice kind = take_word(&line);
    like.after = take_word(&line);
    like.task = line;
    if (like.id.n == 0 || like.task.n == 0)
        return MOIL_EBADMSG;
    if (moil_tree_find(t, like.id))
        return 0;
    if (slice_is(like.after, "-"))
        like.after.n = 0;
    like.is_group = slice_is(kind, "group") || slice_is(like.task, "moil.group");
    like.role = slice_is(kind, "link")    ? TREE_LINK
                : slice_is(kind, "error") ? TREE_ERROR
                                          : TREE_STEP;
    return add(t, &like, &n);
}

int moil_tree_take_lines(struct tree *t, const struct reply *page, size_t *total)
{
    size_t count = moil_reply_count(page);
    int64_t all = moil_reply_integer(moil_reply_at(page, 0));
    if (count < 1 || all < 0)
        return MOIL_EBADMSG;
    for (size_t i = 1; i + 1 < count; i += 2) {
        int err = moil_tree_add_line(t, moil_reply_slice(moil_reply_at(page, i)),
                                     moil_reply_slice(moil_reply_at(page, i + 1)));
        if (err)
            return err;
    }
    *total = (size_t)all;
    return 0;
}

static int take_member(struct tree *t, struct tree_node *group, const struct tree_node *like)
{
    struct tree_node *n = moil_tree_find(t, like->id);
    int err = n ? 0 : add(t, like, &n);
    if (err)
        return err;
    if (n->group || n == group)
        return 0; /* a page may bring the same twice, where members came meanwhile */
    n->group = group;
    if (group->last_member)
        group->last_member->next_member = n;
    else
        group->members = n;
    group->last_member = n;
    return 0;
}

int moil_tree_take_members(struct tree *t, struct tree_node *group, const struct reply *page,
                           size_t *total)
{
    size_t count = moil_reply_count(page);
    int64_t all = moil_reply_integer(moil_reply_at(page, 0));
    if (count < 2 || all < 0)
        return MOIL_EBADMSG;
    for (size_t i = 2; i + 2 < count; i += 3) {
        struct tree_node like = {.id = moil_reply_slice(moil_reply_at(page, i)),
                                 .state = moil_reply_slice(moil_reply_at(page, i + 1)),
                                 .task = moil_reply_slice(moil_reply_at(page, i + 2)),
                                 .after = group->after}; /* of one that has no line of its own */
        like.is_group = slice_is(like.state, "GROUP");
        if (like.is_group)
            like.state.n = 0;
        int err = like.id.n ? take_member(t, group, &like) : MOIL_EBADMSG;
        if (err)
            return err;
    }
    *total = (size_t)all;
    return 0;
}

void moil_tree_set_error(struct tree_node *n, struct slice json)
{
    static const char *const kept[] = {"code", "message", "dependency"};
    json_t *error = json.n ? json_loadb(json.p, json.n, JSON_ALLOW_NUL, NULL) : NULL;
    json_decref(n->error);
    n->error = json_is_object(error) ? json_object() : NULL;
    for (size_t i = 0; i < sizeof kept / sizeof *kept && n->error; i++) {
        json_t *v = json_object_get(error, kept[i]);
        if (json_is_string(v))
            json_object_set(n->error, kept[i], v);
    }
    json_decref(error);
}
