/* Binds net/link, and queue/broker and queue/inbox on it, each link with a loop of its own.
 *
 * What happens is kept as a list of events, {kind, tag, err, reply or text}, that the spec takes
 * when it lets the loop run. */
#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "net/link.h"
#include "queue/broker.h"
#include "queue/inbox.h"
#include "units.h"
#include "units_reply.h"

#define METATABLE "units.link"

enum { WAITS_MAX = 600 };

struct unit {
    lua_State *L;
    struct ev_loop *loop;
    struct link *link;
    struct broker broker;
    struct inbox inbox;
    ev_timer limit;
    int events; /* registry reference of the list */
    size_t count;
    bool stop_in_callback;
    struct inbox_wait waits[WAITS_MAX];
    size_t waits_used;
};

/* One call under way. */
struct tag {
    struct unit *unit;
    lua_Integer number;
    struct submission *subs;
    size_t count;
};

/* Begins an event; the caller sets further fields and calls end_event. [-0, +2, m] */
static void begin_event(struct unit *u, const char *kind, lua_Integer tag, int err)
{
    lua_State *L = u->L;

    lua_rawgeti(L, LUA_REGISTRYINDEX, u->events); /* events */
    lua_newtable(L);                              /* events event */
    lua_pushstring(L, kind);
    lua_setfield(L, -2, "kind");
    lua_pushinteger(L, tag);
    lua_setfield(L, -2, "tag");
    lua_pushinteger(L, err);
    lua_setfield(L, -2, "err");
}

static void end_event(struct unit *u) /* [-2, +0, m] */
{
    lua_seti(u->L, -2, (lua_Integer)++u->count); /* events */
    lua_pop(u->L, 1);
    ev_break(u->loop, EVBREAK_ALL);
}

static void on_up(void *data)
{
    begin_event(data, "up", 0, 0);
    end_event(data);
}

static void on_down(void *data, int err)
{
    begin_event(data, "down", 0, err);
    end_event(data);
}

static void replied(void *data, int err, const struct reply *reply)
{
    struct tag *tag = data;
    struct unit *u = tag->unit;

    begin_event(u, "reply", tag->number, err);
    if (reply) {
        units_reply_push(u->L, reply);
        lua_setfield(u->L, -2, "reply");
    }
    if (tag->subs) {
        lua_newtable(u->L); /* … created */
        for (size_t i = 0; i < tag->count; i++) {
            lua_pushboolean(u->L, tag->subs[i].created);
            lua_seti(u->L, -2, (lua_Integer)i + 1);
        }
        lua_setfield(u->L, -2, "created");
    }
    end_event(u);
    if (u->stop_in_callback) {
        moil_link_stop(u->link);
    }
    free(tag->subs);
    free(tag);
}

static void limit_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static struct unit *check(lua_State *L)
{
    struct unit *u = *(struct unit **)luaL_checkudata(L, 1, METATABLE);

    luaL_argcheck(L, u, 1, "freed");
    u->L = L;
    return u;
}

/* new(url, [namespace]) -> link, not started */
static int unit_new(lua_State *L)
{
    struct unit **box = lua_newuserdatauv(L, sizeof *box, 0); /* … link */
    struct unit *u = calloc(1, sizeof *u);
    struct url url;
    char why[300];

    *box = NULL;
    luaL_setmetatable(L, METATABLE);
    if (moil_url_parse(luaL_checkstring(L, 1), &url, why, sizeof why) != 0) {
        free(u);
        return luaL_error(L, "%s", why);
    }
    *box = u;
    u->L = L;
    lua_newtable(L); /* … link events */
    u->events = luaL_ref(L, LUA_REGISTRYINDEX);
    u->loop = ev_loop_new(0);
    u->link = moil_link_new(u->loop, &url, &(struct link_hooks){on_up, on_down, u, NULL});
    moil_broker_init(&u->broker, u->link, luaL_optstring(L, 2, "moil"), 5000);
    moil_inbox_init(&u->inbox, &u->broker, "owner");
    ev_timer_init(&u->limit, limit_cb, 0, 0);
    return 1;
}

static int link_free(lua_State *L)
{
    struct unit **box = luaL_checkudata(L, 1, METATABLE);
    struct unit *u = *box;

    if (u) {
        u->L = L;
        *box = NULL;
        moil_link_free(u->link);
        moil_inbox_fini(&u->inbox);
        moil_broker_fini(&u->broker);
        luaL_unref(L, LUA_REGISTRYINDEX, u->events);
        ev_loop_destroy(u->loop);
        free(u);
    }
    return 0;
}

static int link_start(lua_State *L)
{
    moil_link_start(check(L)->link);
    return 0;
}

static int link_stop(lua_State *L)
{
    moil_link_stop(check(L)->link);
    return 0;
}

/* stop_in_callback(): the next reply's callback stops the link */
static int link_stop_in_callback(lua_State *L)
{
    check(L)->stop_in_callback = true;
    return 0;
}

/* turn(seconds): lets the loop run until something happens or the time is over */
static int link_turn(lua_State *L)
{
    struct unit *u = check(L);

    ev_now_update(u->loop);
    ev_timer_set(&u->limit, luaL_checknumber(L, 2), 0);
    ev_timer_start(u->loop, &u->limit);
    ev_run(u->loop, 0);
    ev_timer_stop(u->loop, &u->limit);
    return 0;
}

/* take() -> the events since the last take */
static int link_take(lua_State *L)
{
    struct unit *u = check(L);

    lua_rawgeti(L, LUA_REGISTRYINDEX, u->events); /* events */
    lua_newtable(L);                              /* events fresh */
    lua_rawseti(L, LUA_REGISTRYINDEX, u->events); /* events */
    u->count = 0;
    return 1;
}

static struct tag *tag_new(lua_State *L, struct unit *u, int arg)
{
    struct tag *tag = calloc(1, sizeof *tag);

    tag->unit = u;
    tag->number = luaL_checkinteger(L, arg);
    return tag;
}

static void fill_args(lua_State *L, struct args *a, int from)
{
    moil_args_clear(a);
    for (int i = from; i <= lua_gettop(L); i++) {
        if (lua_isinteger(L, i)) {
            moil_args_int(a, lua_tointeger(L, i));
        } else {
            moil_args_slice(a, units_slice(L, i));
        }
    }
}

static int sent(lua_State *L, struct tag *tag, int err)
{
    if (err != 0) {
        free(tag->subs);
        free(tag);
    }
    lua_pushinteger(L, err);
    return 1;
}

/* call(tag, timeout_ms, command, …) -> 0 | code */
static int link_call(lua_State *L)
{
    struct unit *u = check(L);
    struct tag *tag = tag_new(L, u, 2);
    int timeout_ms = (int)luaL_checkinteger(L, 3);

    fill_args(L, &u->broker.args, 4);
    return sent(L, tag, moil_link_call(u->link, &u->broker.args, timeout_ms, replied, tag));
}

/* eval(tag, script name, argument, …) -> 0 | code */
static int link_eval(lua_State *L)
{
    struct unit *u = check(L);
    struct tag *tag = tag_new(L, u, 2);
    const char *name = luaL_checkstring(L, 3);
    int script = 0;

    while (script < SCRIPT_COUNT && strcmp(moil_scripts[script].name, name) != 0) {
        script++;
    }
    luaL_argcheck(L, script < SCRIPT_COUNT, 3, "no such script");
    fill_args(L, &u->broker.args, 4);
    return sent(L, tag, moil_broker_eval(&u->broker, (enum script_id)script, replied, tag));
}

static struct slice field(lua_State *L, const char *name) /* [-0, +1, e] */
{
    lua_getfield(L, -1, name); /* sub value */
    lua_insert(L, -2);         /* value sub: the value stays, as the slice points to it */
    return units_slice(L, lua_gettop(L) - 1);
}

static int64_t number_field(lua_State *L, const char *name, int64_t absent) /* [-0, +0, e] */
{
    int64_t v;

    lua_getfield(L, -1, name);
    v = luaL_optinteger(L, -1, absent);
    lua_pop(L, 1);
    return v;
}

/* enqueue(tag, {{id=, queue=, priority=, at_front=, due_ms=, relative=, args=}, …}) -> 0 | code;
 * the event has `created` */
static int link_enqueue(lua_State *L)
{
    struct unit *u = check(L);
    struct tag *tag = tag_new(L, u, 2);

    tag->count = lua_rawlen(L, 3);
    tag->subs = calloc(tag->count ? tag->count : 1, sizeof *tag->subs);
    luaL_checkstack(L, (int)tag->count * 4 + 20, NULL);
    for (size_t i = 0; i < tag->count; i++) {
        struct submission *s = &tag->subs[i];

        lua_geti(L, 3, (lua_Integer)i + 1); /* … sub */
        s->job.id = field(L, "id");
        s->job.queue = field(L, "queue");
        s->job.args = field(L, "args");
        s->job.task = slice_str("t");
        s->job.priority = (int)number_field(L, "priority", 5);
        s->at_front = number_field(L, "at_front", 0) != 0;
        s->due_ms = number_field(L, "due_ms", -1);
        s->delayed = s->due_ms >= 0;
        s->due_is_relative = number_field(L, "relative", 0) != 0;
        lua_pop(L, 1);
    }
    return sent(L, tag, moil_broker_enqueue(&u->broker, tag->subs, tag->count, replied, tag));
}

static int link_state(lua_State *L)
{
    static const char *const names[] = {"down", "connecting", "up", "stopped"};

    lua_pushstring(L, names[moil_link_state(check(L)->link)]);
    return 1;
}

/* error() -> text, code */
static int link_error(lua_State *L)
{
    struct unit *u = check(L);

    lua_pushstring(L, moil_link_error(u->link));
    lua_pushinteger(L, moil_link_error_code(u->link));
    return 2;
}

static int link_outstanding(lua_State *L)
{
    lua_pushinteger(L, moil_link_outstanding(check(L)->link));
    return 1;
}

/* --- inbox ------------------------------------------------------------------------------------ */

static void inbox_cb(struct inbox_wait *wait, enum inbox_event event, int err, struct slice text)
{
    static const char *const kinds[] = {"ended", "progress", "unknown", "failed"};
    struct unit *u = wait->data;

    begin_event(u, kinds[event], (lua_Integer)(wait - u->waits) + 1, err);
    units_push(u->L, text);
    lua_setfield(u->L, -2, "text");
    end_event(u);
}

/* wait(id) -> tag of its events | nil, code */
static int link_wait(lua_State *L)
{
    struct unit *u = check(L);
    struct inbox_wait *wait = &u->waits[u->waits_used];
    int err;

    luaL_argcheck(L, u->waits_used < WAITS_MAX, 1, "too many waits");
    *wait = (struct inbox_wait){.cb = inbox_cb, .data = u};
    err = moil_inbox_wait(&u->inbox, wait, units_slice(L, 2));
    if (err != 0) {
        lua_pushnil(L);
        lua_pushinteger(L, err);
        return 2;
    }
    lua_pushinteger(L, (lua_Integer)++u->waits_used);
    return 1;
}

static int link_cancel(lua_State *L)
{
    struct unit *u = check(L);

    moil_inbox_cancel(&u->inbox, &u->waits[luaL_checkinteger(L, 2) - 1]);
    return 0;
}

static int link_deliver(lua_State *L)
{
    struct unit *u = check(L);

    moil_inbox_deliver(&u->inbox, units_slice(L, 2));
    return 0;
}

static int link_refresh(lua_State *L)
{
    moil_inbox_refresh(&check(L)->inbox);
    return 0;
}

static int link_waits(lua_State *L)
{
    lua_pushboolean(L, !moil_inbox_is_empty(&check(L)->inbox));
    return 1;
}

static const luaL_Reg methods[] = {
    {"start", link_start},
    {"stop", link_stop},
    {"stop_in_callback", link_stop_in_callback},
    {"free", link_free},
    {"turn", link_turn},
    {"take", link_take},
    {"call", link_call},
    {"eval", link_eval},
    {"enqueue", link_enqueue},
    {"state", link_state},
    {"error", link_error},
    {"outstanding", link_outstanding},
    {"wait", link_wait},
    {"cancel", link_cancel},
    {"deliver", link_deliver},
    {"refresh", link_refresh},
    {"waits", link_waits},
    {"__gc", link_free},
    {NULL, NULL},
};

/* setup(): once per state, before new */
static int unit_setup(lua_State *L)
{
    if (luaL_newmetatable(L, METATABLE)) { /* metatable */
        luaL_setfuncs(L, methods, 0);
        lua_pushvalue(L, -1);
        lua_setfield(L, -2, "__index");
    }
    return 0;
}

static const luaL_Reg functions[] = {{"setup", unit_setup}, {"new", unit_new}, {NULL, NULL}};
UNITS(link, functions)
