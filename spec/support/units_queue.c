/* Binds the pure parts of queue/ and net/ for their specs: records, keys, settlements, descriptions
 * and what error replies mean.
 *
 * Records are decoded from a copy of exactly their size, so that a sanitizer sees a read past the
 * end. */
#include <ev.h>
#include <string.h>

#include "base/error.h"
#include "net/fault.h"
#include "net/link.h"
#include "queue/describe.h"
#include "queue/keys.h"
#include "queue/message.h"
#include "queue/settlement.h"
#include "units.h"
#include "units_reply.h"

/* --- fields of tables ------------------------------------------------------------------------- */

static struct slice get_slice(lua_State *L, const char *field) /* [-0, +1, e] */
{
    lua_getfield(L, 1, field); /* value: it stays, as the slice points to it */
    return units_slice(L, lua_gettop(L));
}

static int64_t get_int(lua_State *L, const char *field) /* [-0, +0, e] */
{
    int64_t v;

    lua_getfield(L, 1, field); /* value */
    v = luaL_optinteger(L, -1, 0);
    lua_pop(L, 1);
    return v;
}

static void set_slice(lua_State *L, const char *field, struct slice s) /* [-0, +0, m] */
{
    units_push(L, s);
    lua_setfield(L, -2, field);
}

static void set_int(lua_State *L, const char *field, int64_t v) /* [-0, +0, m] */
{
    lua_pushinteger(L, v);
    lua_setfield(L, -2, field);
}

/* What a buffer holds, then frees it. [-0, +1, m] */
static int give(lua_State *L, struct buffer *b)
{
    lua_pushlstring(L, moil_buffer_cstr(b), b->len);
    moil_buffer_fini(b);
    return 1;
}

/* --- records ---------------------------------------------------------------------------------- */

/* encode_message{queue, priority, …} -> J record */
static int unit_encode_message(lua_State *L)
{
    struct buffer b;
    struct job job = {
        .queue = get_slice(L, "queue"),
        .task = get_slice(L, "task"),
        .args = get_slice(L, "args"),
        .kwargs = get_slice(L, "kwargs"),
        .extra = get_slice(L, "extra"),
        .priority = (int)get_int(L, "priority"),
        .retries = (uint32_t)get_int(L, "retries"),
        .crashes = (uint32_t)get_int(L, "crashes"),
        .losses = (uint32_t)get_int(L, "losses"),
        .enqueued_us = get_int(L, "enqueued_us"),
    };

    moil_buffer_init(&b);
    moil_message_encode(&job, &b);
    return give(L, &b);
}

static void push_job(lua_State *L, const struct job *job) /* [-0, +1, m] */
{
    lua_newtable(L);
    set_slice(L, "queue", job->queue);
    set_slice(L, "task", job->task);
    set_slice(L, "args", job->args);
    set_slice(L, "kwargs", job->kwargs);
    set_slice(L, "extra", job->extra);
    set_int(L, "priority", job->priority);
    set_int(L, "retries", job->retries);
    set_int(L, "crashes", job->crashes);
    set_int(L, "losses", job->losses);
    set_int(L, "enqueued_us", job->enqueued_us);
}

/* A copy of a string argument in memory of just that size. [-0, +1, m] */
static struct slice exact_copy(lua_State *L, int arg)
{
    struct slice s = units_slice(L, arg);
    char *copy = lua_newuserdatauv(L, s.n, 0); /* copy: it stays, as the slice points to it */

    memcpy(copy, s.p ? s.p : "", s.n);
    return slice_of(copy, s.n);
}

static int refuse(lua_State *L, int err)
{
    lua_pushnil(L);
    lua_pushinteger(L, err);
    return 2;
}

typedef int decode_fn(struct slice record, struct job *job);

static int decode_with(lua_State *L, decode_fn *decode)
{
    struct slice record = exact_copy(L, 1);
    struct job job = {.id = slice_str("kept")};
    int err = decode(record, &job);

    if (err == 0) {
        push_job(L, &job);
    }
    if (err != 0) {
        refuse(L, err);
        lua_pushboolean(L, slice_is(job.id, "kept") && !job.queue.p && !job.args.p);
        return 3;
    }
    return 1;
}

/* decode_message(bytes) -> table | nil, code, whether the job was left untouched */
static int unit_decode_message(lua_State *L)
{
    return decode_with(L, moil_message_decode);
}

static int unit_decode_header(lua_State *L)
{
    return decode_with(L, moil_message_decode_header);
}

/* encode_outcome{state, …} -> R record */
static int unit_encode_outcome(lua_State *L)
{
    struct buffer b;
    struct outcome_record o = {
        .state = get_slice(L, "state"),
        .queue = get_slice(L, "queue"),
        .task = get_slice(L, "task"),
        .worker = get_slice(L, "worker"),
        .value = get_slice(L, "value"),
        .body = get_slice(L, "body"),
        .priority = (int)get_int(L, "priority"),
        .retries = (uint32_t)get_int(L, "retries"),
        .deliveries = (uint32_t)get_int(L, "deliveries"),
        .enqueued_us = get_int(L, "enqueued_us"),
        .started_us = get_int(L, "started_us"),
        .finished_us = get_int(L, "finished_us"),
        .expires_min = get_int(L, "expires_min"),
    };

    moil_buffer_init(&b);
    moil_outcome_encode(&o, &b);
    return give(L, &b);
}

/* decode_outcome(bytes) -> table | nil, code */
static int unit_decode_outcome(lua_State *L)
{
    struct slice record = exact_copy(L, 1);
    struct outcome_record o;
    int err = moil_outcome_decode(record, &o);

    if (err == 0) {
        lua_newtable(L);
        set_slice(L, "state", o.state);
        set_slice(L, "queue", o.queue);
        set_slice(L, "task", o.task);
        set_slice(L, "worker", o.worker);
        set_slice(L, "value", o.value);
        set_slice(L, "body", o.body);
        set_int(L, "priority", o.priority);
        set_int(L, "retries", o.retries);
        set_int(L, "deliveries", o.deliveries);
        set_int(L, "enqueued_us", o.enqueued_us);
        set_int(L, "started_us", o.started_us);
        set_int(L, "finished_us", o.finished_us);
        set_int(L, "expires_min", o.expires_min);
    }
    return err == 0 ? 1 : refuse(L, err);
}

/* decode_note(bytes) -> state, worker, started_us, meta | nil, code */
static int unit_decode_note(lua_State *L)
{
    struct slice text = exact_copy(L, 1);
    struct note note;
    int err = moil_note_decode(text, &note);

    if (err == 0) {
        units_push(L, note.state);
        units_push(L, note.worker);
        lua_pushinteger(L, note.started_us);
        units_push(L, note.meta);
    }
    return err == 0 ? 4 : refuse(L, err);
}

/* is_outcome(bytes) */
static int unit_is_outcome(lua_State *L)
{
    struct slice record = exact_copy(L, 1);

    lua_pushboolean(L, moil_record_is_outcome(record));
    return 1;
}

/* --- keys ------------------------------------------------------------------------------------- */

/* keys(namespace, name) -> prefix, wake list, inbox, tick | nil, code */
static int unit_keys(lua_State *L)
{
    struct keys k;
    struct buffer b;
    int err = moil_keys_init(&k, luaL_checkstring(L, 1));

    if (err != 0) {
        return refuse(L, err);
    }
    units_push(L, moil_keys_prefix(&k));
    moil_buffer_init(&b);
    moil_keys_wake(&k, units_slice(L, 2), &b);
    give(L, &b);
    moil_keys_inbox(&k, units_slice(L, 2), &b);
    give(L, &b);
    moil_keys_tick(&k, &b);
    give(L, &b);
    return 4;
}

/* --- settlements ------------------------------------------------------------------------------ */

static int add_verdict(lua_State *L, struct settlement *s, int entry) /* [-0, +0, e] */
{
    static const char *const kinds[] = {"drop", "end", "dead", "retry", "requeue", "replace", NULL};
    struct slice id;
    struct slice text;
    static const char *const states[] = {"SUCCESS", "REVOKED", "IGNORED", NULL};
    lua_Integer number;
    struct ending how = {0};

    for (int i = 1; i <= 6; i++) {
        lua_geti(L, entry, i); /* kind id text number queue state: they stay, slices point there */
    }
    id = units_slice(L, lua_gettop(L) - 4);
    text = units_slice(L, lua_gettop(L) - 3);
    number = luaL_optinteger(L, -3, 0);
    how.queue = lua_isnil(L, -2) ? slice_str("default") : units_slice(L, lua_gettop(L) - 1);
    how.state = states[luaL_checkoption(L, lua_gettop(L), "SUCCESS", states)];
    how.expires_min = number;
    switch (luaL_checkoption(L, lua_gettop(L) - 5, NULL, kinds)) {
    case 0:
        return moil_settlement_drop(s, id, &how);
    case 1:
        return moil_settlement_end(s, id, text, &how);
    case 2:
        return moil_settlement_dead(s, id, text);
    case 3:
        return moil_settlement_retry(s, id, text, number);
    case 4:
        return moil_settlement_requeue(s, id, text, (int)number);
    default:
        return moil_settlement_replace(s, id, text);
    }
}

/* settlement({{kind, id, text, number}, …}, incarnation[, room]) -> the list of arguments, count,
 * bytes, and the code of the first one that did not fit. The room is for jobs of "high", "low". */
static int unit_settlement(lua_State *L)
{
    struct url url = {.kind = URL_UNIX, .path = "/nowhere"};
    struct ev_loop *loop = ev_loop_new(0);
    struct link *link = moil_link_new(loop, &url, NULL);
    struct settlement *s = moil_settlement_new();
    struct broker b;
    int refused = 0;

    lua_settop(L, 3);
    luaL_checkstack(L, 3000, NULL);
    moil_broker_init(&b, link, "moil", 1000);
    for (int i = 1; i <= (int)lua_rawlen(L, 1) && !refused; i++) {
        lua_geti(L, 1, i); /* entry */
        refused = add_verdict(L, s, lua_gettop(L));
    }
    /* The link is down: nothing is sent, but the arguments are laid out. */
    const struct slice queues[] = {slice_str("high"), slice_str("low")};
    moil_settlement_send(s, &b,
                         &(struct settler_room){.incarnation = units_slice(L, 2),
                                                .want = (unsigned)luaL_optinteger(L, 3, 0),
                                                .queues = queues,
                                                .count = 2},
                         NULL, NULL);
    lua_newtable(L); /* … arguments */
    for (size_t i = 0; i < b.args.count; i++) {
        lua_pushlstring(L, b.args.argv[i], b.args.lens[i]);
        lua_seti(L, -2, (lua_Integer)i + 1);
    }
    lua_pushinteger(L, (lua_Integer)moil_settlement_count(s));
    lua_pushinteger(L, (lua_Integer)moil_settlement_bytes(s));
    lua_pushinteger(L, refused);
    moil_settlement_free(s);
    moil_broker_fini(&b);
    moil_link_free(link);
    ev_loop_destroy(loop);
    return 4;
}

/* --- descriptions ----------------------------------------------------------------------------- */

/* describe(kind, reply, [id]) -> JSON text | nil, code */
static int unit_describe(lua_State *L)
{
    static const char *const kinds[] = {"inflight", "delayed", "dead", "job",
                                        "queues",   "nodes",   NULL};
    static const enum listing listings[] = {LISTING_INFLIGHT, LISTING_DELAYED, LISTING_DEAD};
    int kind = luaL_checkoption(L, 1, NULL, kinds);
    struct reply *reply = units_reply_new(L, 2);
    struct buffer b;
    int err = 0;

    moil_buffer_init(&b);
    if (kind < 3) {
        moil_describe_list(listings[kind], reply, NULL, &b);
    } else if (kind == 3) {
        err = moil_describe_job(units_slice(L, 3), reply, &b);
    } else if (kind == 4) {
        moil_describe_queues(reply, &b);
    } else {
        moil_describe_nodes(reply, &b);
    }
    units_reply_free(reply);
    if (err != 0) {
        moil_buffer_fini(&b);
        return refuse(L, err);
    }
    return give(L, &b);
}

/* --- faults ----------------------------------------------------------------------------------- */

/* fault(error text) -> the code's name, whether trying again may help */
static int unit_fault(lua_State *L)
{
    struct slice text = exact_copy(L, 1);
    int err = moil_fault_of(text.p, text.n);

    lua_pushinteger(L, err);
    lua_pushboolean(L, moil_link_is_transient(err));
    return 2;
}

static int unit_fault_advice(lua_State *L)
{
    lua_pushstring(L, moil_fault_advice(luaL_checkstring(L, 1)));
    return 1;
}

static const luaL_Reg functions[] = {
    {"encode_message", unit_encode_message},
    {"decode_message", unit_decode_message},
    {"decode_header", unit_decode_header},
    {"encode_outcome", unit_encode_outcome},
    {"decode_outcome", unit_decode_outcome},
    {"decode_note", unit_decode_note},
    {"is_outcome", unit_is_outcome},
    {"keys", unit_keys},
    {"settlement", unit_settlement},
    {"describe", unit_describe},
    {"fault", unit_fault},
    {"fault_advice", unit_fault_advice},
    {NULL, NULL},
};
UNITS(queue, functions)
