/* Binds the tree of a workflow (queue/tree.h) for its spec. */
#include <stdlib.h>
#include <string.h>

#include "queue/tree.h"
#include "units.h"
#include "units_reply.h"

/* The members of each group that the table at index 3 has a page for: {[gid] = reply}. */
static int take_members(lua_State *L, struct tree *t)
{
    int err = 0;
    size_t total;
    for (struct tree_node *n = t->nodes; n && !err; n = n->hh.next) {
        units_push(L, n->id);
        if (lua_gettable(L, 3) == LUA_TTABLE) { /* page */
            struct reply *page = units_reply_new(L, lua_gettop(L));
            err = moil_tree_take_members(t, n, page, &total);
            units_reply_free(page);
        }
        lua_settop(L, 4);
    }
    return err;
}

/* The errors of the table at index 4: {[id] = JSON text}. */
static void set_errors(lua_State *L, const struct tree *t)
{
    for (lua_pushnil(L); lua_next(L, 4); lua_pop(L, 1)) { /* id text */
        struct tree_node *n = moil_tree_find(t, units_slice(L, -2));
        if (n)
            moil_tree_set_error(n, units_slice(L, -1));
    }
}

/* json(wid, reply of workflow, {gid = reply of gather}, {id = error}) -> JSON text | nil, code */
static int unit_json(lua_State *L)
{
    struct slice wid = units_slice(L, 1);
    struct reply *lines = units_reply_new(L, 2);
    struct tree t;
    size_t total = 0;
    moil_tree_init(&t);
    int err = moil_tree_take_lines(&t, lines, &total);
    units_reply_free(lines);
    lua_settop(L, 4);
    if (!err)
        err = take_members(L, &t);
    if (!err && lua_istable(L, 4))
        set_errors(L, &t);
    moil_tree_order(&t, wid);
    char *text = moil_tree_json(&t, wid);
    moil_tree_fini(&t);
    if (err) {
        lua_pushnil(L);
        lua_pushinteger(L, err);
    } else {
        lua_pushstring(L, text);
    }
    free(text);
    return err ? 2 : 1;
}

static const luaL_Reg functions[] = {{"json", unit_json}, {NULL, NULL}};
UNITS(tree, functions)
