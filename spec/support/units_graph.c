/* Binds queue/graph.c for its spec: a graph from a table, step by step, with the spec for Redis. */
#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "queue/graph.h"
#include "units.h"
#include "units_reply.h"

struct test_graph {
    struct graph graph;
    struct submission *nodes;
    struct slice *ids, *lines;
    struct graph_members *members;
    struct graph_dep *deps;
};

/* Slices point to the strings in the spec's tables, which stay. [-0, +0, e] */
static struct slice item(lua_State *L, int idx, lua_Integer i)
{
    struct slice s;

    lua_geti(L, idx, i); /* item */
    s = units_slice(L, lua_gettop(L));
    lua_pop(L, 1);
    return s;
}

static struct slice field(lua_State *L, int idx, const char *name)
{
    struct slice s;

    lua_getfield(L, idx, name); /* value */
    s = units_slice(L, lua_gettop(L));
    lua_pop(L, 1);
    return s;
}

static int64_t number(lua_State *L, int idx, const char *name)
{
    int64_t v;

    lua_getfield(L, idx, name); /* value */
    v = luaL_optinteger(L, -1, 0);
    lua_pop(L, 1);
    return v;
}

static size_t push_list(lua_State *L, const char *name) /* [-0, +1, e] */
{
    if (lua_getfield(L, 1, name) != LUA_TTABLE) { /* list */
        lua_pop(L, 1);
        lua_newtable(L);
    }
    return lua_rawlen(L, -1);
}

static void read_nodes(lua_State *L, struct test_graph *t)
{
    size_t count = push_list(L, "nodes"); /* nodes */

    t->nodes = calloc(count + 1, sizeof *t->nodes);
    for (size_t i = 0; i < count; i++) {
        struct submission *s = &t->nodes[i];
        int at;

        lua_geti(L, -1, (lua_Integer)i + 1); /* nodes node */
        at = lua_gettop(L);
        s->job = (struct job){.id = field(L, at, "id"),
                              .task = slice_str("t"),
                              .queue = slice_str("q"),
                              .args = field(L, at, "args")};
        s->links = field(L, at, "links");
        s->open = (uint32_t)number(L, at, "open");
        s->due_ms = number(L, at, "due_ms");
        s->delayed = s->due_ms > 0;
        s->due_is_relative = number(L, at, "relative") == 1;
        s->at_front = number(L, at, "at_front") == 1;
        lua_pop(L, 1);
    }
    t->graph.nodes = t->nodes;
    t->graph.node_count = count;
    lua_pop(L, 1);
}

static void read_members(lua_State *L, struct test_graph *t)
{
    size_t lists = push_list(L, "members"), used = 0; /* lists */

    t->members = calloc(lists + 1, sizeof *t->members);
    t->ids = calloc(MOIL_GRAPH_NODES_MAX, sizeof *t->ids);
    for (size_t i = 0; i < lists; i++) {
        struct graph_members *m = &t->members[i];

        lua_geti(L, -1, (lua_Integer)i + 1); /* lists list */
        m->group = item(L, lua_gettop(L), 1);
        m->first = used;
        lua_geti(L, -1, 2); /* lists list ids */
        m->count = lua_rawlen(L, -1);
        for (size_t k = 1; k <= m->count; k++) {
            t->ids[used++] = item(L, lua_gettop(L), (lua_Integer)k);
        }
        lua_pop(L, 2);
    }
    t->graph.ids = t->ids;
    t->graph.members = t->members;
    t->graph.member_count = lists;
    lua_pop(L, 1);
}

static void read_rest(lua_State *L, struct test_graph *t)
{
    size_t deps = push_list(L, "deps"), lines; /* deps */

    t->deps = calloc(deps + 1, sizeof *t->deps);
    for (size_t i = 0; i < deps; i++) {
        lua_geti(L, -1, (lua_Integer)i + 1); /* deps dep */
        t->deps[i] = (struct graph_dep){item(L, lua_gettop(L), 1), item(L, lua_gettop(L), 2)};
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    lines = push_list(L, "lines"); /* lines */
    t->lines = calloc(lines + 1, sizeof *t->lines);
    for (size_t i = 0; i < lines; i++) {
        t->lines[i] = item(L, lua_gettop(L), (lua_Integer)i + 1);
    }
    lua_pop(L, 1);
    t->graph.deps = t->deps;
    t->graph.dep_count = deps;
    t->graph.lines = t->lines;
    t->graph.line_count = lines;
}

static const char *script_name(enum script_id script)
{
    return script == SCRIPT_ACCEPT    ? "accept"
           : script == SCRIPT_STAGE   ? "stage"
           : script == SCRIPT_EXTEND  ? "extend"
           : script == SCRIPT_ADVANCE ? "advance"
                                      : "?";
}

/* One step: asks the spec's function (at 2); 1 while there is more. */
static int step(lua_State *L, struct graph_call *c, struct broker *b)
{
    struct reply *reply;
    int more;

    lua_pushvalue(L, 2);                                /* fn */
    lua_pushstring(L, script_name(moil_graph_next(c))); /* fn name */
    moil_graph_fill(c, b);
    lua_createtable(L, (int)b->args.count, 0); /* fn name args */
    for (size_t i = 0; i < b->args.count; i++) {
        lua_pushlstring(L, b->args.argv[i], b->args.lens[i]);
        lua_seti(L, -2, (lua_Integer)i + 1);
    }
    lua_call(L, 2, 1);          /* reply */
    if (lua_isboolean(L, -1)) { /* it got lost: the same step again */
        lua_pop(L, 1);
        return 1;
    }
    reply = units_reply_new(L, lua_gettop(L));
    more = moil_graph_take(c, reply);
    units_reply_free(reply);
    lua_pop(L, 1);
    return more;
}

/* run(plan, fn(script, arguments) -> reply, or false: lost) -> 0 | code, created, is in, token |
 * code, message */
static int unit_run(lua_State *L)
{
    static const char *const aims[] = {"accept", "stage", "extend", NULL};
    struct test_graph t = {0};
    struct graph_call c;
    struct broker b;
    char why[200] = "";
    int code, results;

    lua_settop(L, 2);
    lua_getfield(L, 1, "aim"); /* aim */
    t.graph.aim = (enum graph_aim)luaL_checkoption(L, -1, "accept", aims);
    t.graph.id = field(L, 1, "id");
    read_nodes(L, &t);
    read_members(L, &t);
    read_rest(L, &t);
    moil_broker_init(&b, NULL, "moil", 1000);
    code = moil_graph_begin(&c, &t.graph, why, sizeof why);
    if (code) {
        lua_pushinteger(L, code);
        lua_pushstring(L, why);
        results = 2;
    } else {
        while ((code = step(L, &c, &b)) == 1) {}
        lua_pushinteger(L, code);
        lua_pushboolean(L, c.created);
        lua_pushboolean(L, moil_graph_is_in(&c));
        lua_pushstring(L, c.token);
        results = 4;
        moil_graph_end(&c);
    }
    moil_broker_fini(&b);
    free(t.nodes);
    free(t.ids);
    free(t.lines);
    free(t.members);
    free(t.deps);
    return results;
}

/* explain(code, reply) -> text | nil */
static int unit_explain(lua_State *L)
{
    struct reply *reply = units_reply_new(L, 2);
    char why[320] = "";
    bool known = moil_graph_explain((int)luaL_checkinteger(L, 1), reply, why, sizeof why);

    units_reply_free(reply);
    lua_pushstring(L, known ? why : NULL);
    return 1;
}

static const luaL_Reg functions[] = {
    {"run", unit_run},
    {"explain", unit_explain},
    {NULL, NULL},
};
UNITS(graph, functions)
