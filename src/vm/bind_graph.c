/* The functions of `moil.core` for workflows: each reads a plan of plain data (made by
 * lua/moil/canvas.lua) into a struct graph, or asks for a page of one. What links mean is the
 * canvas's and Redis's; here names, numbers and bounds are checked.
 *
 * A plan: { wid =, nodes = { description … }, members = { { gid, { id … }, are_parts } … },
 * deps = { { id, link } … }, lines = { text … }, stage_only = boolean }. A node is a job's
 * description (bind_enqueue.c) with `open`, for how many ends it waits, and `links`, a text. */
#include <stdio.h>

#include "base/error.h"
#include "vm/json.h"
#include "vm/state.h"

enum { LINKS_MAX = 4 * 1024 * 1024 }; /* bytes of a node's links: one of each other node */

/* --- reading a plan --------------------------------------------------------------------------- */

static int bad(lua_State *L, const char *what)
{
    char text[200];

    snprintf(text, sizeof text, "workflow: %s", what);
    return moil_bind_raise(L, "BadArgument", text);
}

static int no_memory(lua_State *L)
{
    return moil_bind_raise(L, "OutOfMemory", "out of memory");
}

/* The list in a field of the plan; an empty one where there is none. Returns its length. [-0, +1,
 * v] */
static size_t push_list(lua_State *L, int plan, const char *field)
{
    int type = lua_getfield(L, plan, field); /* list */

    if (type == LUA_TNIL) {
        lua_pop(L, 1);
        lua_createtable(L, 0, 0); /* list */
    } else if (type != LUA_TTABLE) {
        bad(L, "a list is no table");
    }
    return lua_rawlen(L, -1);
}

/* The string on the top, copied into the request; pops it. [-1, +0, v] */
static struct slice take_text(lua_State *L, struct vm_call *call, bool is_name)
{
    struct slice s = {0};

    if (lua_type(L, -1) == LUA_TSTRING) {
        s.p = lua_tolstring(L, -1, &s.n);
    }
    if (!s.p || (is_name && !moil_name_is_valid(s))) {
        bad(L, is_name ? "an id is 1 to 200 printable ASCII characters without spaces"
                       : "a text is missing");
    }
    s = moil_call_put(call, s);
    lua_pop(L, 1);
    return s;
}

static struct slice take_item(lua_State *L, struct vm_call *call, size_t i, bool is_name)
{
    lua_rawgeti(L, -1, (lua_Integer)i); /* item */
    return take_text(L, call, is_name);
}

static void read_open(lua_State *L, struct submission *sub)
{
    lua_Integer open = 0;

    if (lua_getfield(L, -1, "open") != LUA_TNIL) { /* node open */
        open = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : -1;
    }
    if (open < 0 || open > MOIL_GRAPH_NODES_MAX) {
        bad(L, "open is the number of ends that a job waits for");
    }
    sub->open = (uint32_t)open;
    lua_pop(L, 1); /* node */
}

static void read_links(lua_State *L, struct vm_call *call, struct submission *sub)
{
    if (lua_getfield(L, -1, "links") == LUA_TNIL) { /* node links */
        lua_pop(L, 1);
        return;
    }
    sub->links = take_text(L, call, false); /* node */
    if (sub->links.n > LINKS_MAX) {
        moil_bind_raise(L, "TooLarge", "workflow: a job has too many links");
    }
}

static void read_nodes(lua_State *L, struct bind *bind, struct vm_call *call)
{
    size_t count = push_list(L, 1, "nodes"); /* nodes */
    char text[100];

    if (count == 0) {
        bad(L, "there is no job in it");
    } else if (count > MOIL_GRAPH_NODES_MAX) {
        snprintf(text, sizeof text, "a workflow of %zu jobs: at most %d are taken", count,
                 MOIL_GRAPH_NODES_MAX);
        moil_bind_raise(L, "TooLarge", text);
    } else if (!moil_call_reserve(call, count)) {
        no_memory(L);
    }
    for (size_t i = 0; i < count; i++) {
        struct submission *sub = &call->subs[i];

        lua_rawgeti(L, -1, (lua_Integer)i + 1); /* nodes node */
        moil_submission_read(L, lua_gettop(L), bind, call, sub);
        read_open(L, sub);
        read_links(L, call, sub);
        lua_pop(L, 1); /* nodes */
    }
    lua_pop(L, 1);
    call->graph.nodes = call->subs;
    call->graph.node_count = count;
}

/* { gid, { id … }, are_parts } … */
static void read_members(lua_State *L, struct vm_call *call)
{
    size_t lists = push_list(L, 1, "members"); /* lists */

    for (size_t i = 1; i <= lists; i++) {
        struct graph_members m = {.first = call->ids.len / sizeof(struct slice)};

        if (lua_rawgeti(L, -1, (lua_Integer)i) != LUA_TTABLE) { /* lists list */
            bad(L, "members are { group, { id, … } }");
        }
        m.group = take_item(L, call, 1, true);
        if (lua_rawgeti(L, -1, 2) != LUA_TTABLE) { /* lists list ids */
            bad(L, "members are { group, { id, … } }");
        }
        m.count = lua_rawlen(L, -1);
        if (m.first + m.count > (size_t)2 * MOIL_GRAPH_NODES_MAX) {
            moil_bind_raise(L, "TooLarge", "workflow: too many members");
        }
        for (size_t k = 1; k <= m.count; k++) {
            struct slice id = take_item(L, call, k, true);

            moil_buffer_add(&call->ids, &id, sizeof id);
        }
        lua_rawgeti(L, -2, 3); /* lists list ids are_parts */
        m.are_parts = lua_toboolean(L, -1);
        moil_buffer_add(&call->members, &m, sizeof m);
        lua_pop(L, 3); /* lists */
    }
    lua_pop(L, 1);
}

static void read_deps(lua_State *L, struct vm_call *call)
{
    size_t count = push_list(L, 1, "deps"); /* deps */
    char text[100];

    if (count > MOIL_GRAPH_DEPS_MAX) {
        snprintf(text, sizeof text, "depends_on: a workflow with %zu ids, at most %d are taken",
                 count, MOIL_GRAPH_DEPS_MAX);
        moil_bind_raise(L, "TooLarge", text);
    }
    for (size_t i = 1; i <= count; i++) {
        struct graph_dep dep;

        if (lua_rawgeti(L, -1, (lua_Integer)i) != LUA_TTABLE) { /* deps dep */
            bad(L, "deps are { id, link }");
        }
        dep.id = take_item(L, call, 1, true);
        dep.link = take_item(L, call, 2, true);
        moil_buffer_add(&call->deps, &dep, sizeof dep);
        lua_pop(L, 1); /* deps */
    }
    lua_pop(L, 1);
}

static void read_lines(lua_State *L, struct vm_call *call)
{
    size_t count = push_list(L, 1, "lines"); /* lines */

    if (count > MOIL_GRAPH_NODES_MAX) {
        moil_bind_raise(L, "TooLarge", "workflow: too many lines");
    }
    for (size_t i = 1; i <= count; i++) {
        struct slice line = take_item(L, call, i, false);

        moil_buffer_add(&call->lines, &line, sizeof line);
    }
    lua_pop(L, 1);
}

/* The request has stopped growing: places become bytes. */
static void settle(struct vm_call *call)
{
    struct graph *g = &call->graph;
    struct slice *ids = (struct slice *)(void *)call->ids.data;
    struct slice *lines = (struct slice *)(void *)call->lines.data;
    struct graph_members *members = (struct graph_members *)(void *)call->members.data;
    struct graph_dep *deps = (struct graph_dep *)(void *)call->deps.data;

    for (size_t i = 0; i < g->node_count; i++) {
        moil_submission_settle(call, &g->nodes[i]);
        moil_call_settle(call, &g->nodes[i].links);
    }
    for (size_t i = 0; i < call->ids.len / sizeof *ids; i++) {
        moil_call_settle(call, &ids[i]);
    }
    g->line_count = call->lines.len / sizeof *lines;
    for (size_t i = 0; i < g->line_count; i++) {
        moil_call_settle(call, &lines[i]);
    }
    g->member_count = call->members.len / sizeof *members;
    for (size_t i = 0; i < g->member_count; i++) {
        moil_call_settle(call, &members[i].group);
    }
    g->dep_count = call->deps.len / sizeof *deps;
    for (size_t i = 0; i < g->dep_count; i++) {
        moil_call_settle(call, &deps[i].id);
        moil_call_settle(call, &deps[i].link);
    }
    moil_call_settle(call, &g->id);
    g->ids = ids;
    g->lines = lines;
    g->members = members;
    g->deps = deps;
}

/* The plan at 1, of that id. */
static void read_plan(lua_State *L, struct bind *bind, struct vm_call *call, struct slice id)
{
    read_nodes(L, bind, call);
    read_members(L, call);
    read_deps(L, call);
    read_lines(L, call);
    call->graph.id = moil_call_put(call, id);
    if (call->request.failed || call->ids.failed || call->members.failed || call->deps.failed ||
        call->lines.failed) {
        no_memory(L);
    }
    settle(call);
}

static struct slice check_name(lua_State *L, int idx)
{
    struct slice s = {0};

    if (lua_type(L, idx) == LUA_TSTRING) {
        s.p = lua_tolstring(L, idx, &s.n);
    }
    if (!s.p || !moil_name_is_valid(s)) {
        bad(L, "an id is 1 to 200 printable ASCII characters without spaces");
    }
    return s;
}

/* --- submit(plan) -> created, or a token; extend(gid, plan) -> boolean ------------------------ */

static int core_submit(lua_State *L)
{
    struct bind *bind = moil_bind_of(L);
    struct vm_call *call = moil_bind_begin(L, bind);

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_getfield(L, 1, "stage_only"); /* plan stage_only */
    lua_getfield(L, 1, "wid");        /* plan stage_only wid */
    read_plan(L, bind, call, check_name(L, 3));
    call->graph.aim = lua_toboolean(L, 2) ? GRAPH_STAGE : GRAPH_ACCEPT;
    return moil_bind_finish(L, call, bind->host.submit_graph(bind->host.data, call, &call->graph),
                            moil_bind_answers);
}

static int core_extend(lua_State *L)
{
    struct bind *bind = moil_bind_of(L);
    struct vm_call *call = moil_bind_begin(L, bind);

    lua_settop(L, 2);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_insert(L, 1); /* plan gid */
    read_plan(L, bind, call, check_name(L, 2));
    call->graph.aim = GRAPH_EXTEND;
    return moil_bind_finish(L, call, bind->host.submit_graph(bind->host.data, call, &call->graph),
                            moil_bind_answers);
}

/* --- gather(gid, from, limit, what) -> total, open, ids, states, values ------------------------
 */

enum { GATHER_HEAD = 2, GATHER_LISTS = 3 };

/* The answers behind the first ones, dealt out to lists. */
static int push_members(lua_State *L, int status, lua_KContext ctx)
{
    const struct vm_call *call = (const struct vm_call *)ctx;

    if (call->failed) {
        return moil_bind_answers(L, status, ctx);
    }
    int first = lua_gettop(L) + 1, count = moil_call_push(call, L);
    int rows = (count - GATHER_HEAD) / GATHER_LISTS;

    luaL_checkstack(L, 8, "answers");
    for (int k = 0; k < GATHER_HEAD; k++) {
        lua_pushvalue(L, first + k); /* answers… head… */
    }
    for (int k = 0; k < GATHER_LISTS; k++) {
        lua_createtable(L, rows, 0); /* answers… head… lists… list */
        for (int i = 0; i < rows; i++) {
            lua_pushvalue(L, first + GATHER_HEAD + i * GATHER_LISTS + k); /* … list value */
            lua_rawseti(L, -2, i + 1);                                    /* … list */
        }
    }
    return GATHER_HEAD + GATHER_LISTS;
}

static int core_gather(lua_State *L)
{
    static const char *const whats[] = {"v", "s", NULL};
    struct bind *bind = moil_bind_of(L);
    struct vm_call *call = moil_bind_begin(L, bind);
    struct vm_page page = {.values = luaL_checkoption(L, 4, "v", whats) == 0};

    page.from = luaL_checkinteger(L, 2);
    page.limit = luaL_checkinteger(L, 3);
    if (page.from < 0 || page.limit < 1 || page.limit > MOIL_BATCH_MAX) {
        return bad(L, "a page begins at 0 or later, and has 1 to 250 entries");
    }
    page.id = moil_call_put(call, check_name(L, 1));
    if (call->request.failed) {
        return no_memory(L);
    }
    moil_call_settle(call, &page.id);
    return moil_bind_finish(L, call, bind->host.page(bind->host.data, call, &page), push_members);
}

const luaL_Reg moil_bind_graph_functions[] = {
    {"submit", core_submit},
    {"extend", core_extend},
    {"gather", core_gather},
    {NULL, NULL},
};
