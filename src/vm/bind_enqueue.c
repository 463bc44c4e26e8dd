/* A job's description in Lua (made by lua/moil/call.lua) to a struct submission. Names are checked
 * here, as are sizes and that the arguments can be JSON; what the options mean is Lua's.
 *
 * Fields: task, queue, id (made and set when absent), args, n, kwargs, priority, at_front, delay
 * (seconds from now) or due (seconds since the epoch), extra. */
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/id.h"
#include "vm/json.h"
#include "vm/state.h"

struct reader {
    lua_State *L;
    int idx;
    struct vm_call *call;
    const char *task; /* for messages */
    size_t max, left; /* bytes that arguments and options may have, in all and still */
};

static void fail(const struct reader *r, int err, const char *what)
{
    char text[800];

    snprintf(text, sizeof text, "%.200s: %.500s", r->task, what);
    moil_bind_raise(r->L, moil_error_code(err), text);
}

/* A name, copied into the request. Absent: absent. */
static struct slice read_name(const struct reader *r, const char *field)
{
    struct slice s = {0};

    if (lua_getfield(r->L, r->idx, field) == LUA_TSTRING) { /* name */
        char what[64];

        s.p = lua_tolstring(r->L, -1, &s.n);
        if (!moil_name_is_valid(s)) {
            snprintf(what, sizeof what, "%s: 1 to %d printable ASCII characters without spaces",
                     field, MOIL_NAME_MAX);
            fail(r, MOIL_EINVAL, what);
        }
        s = moil_call_put(r->call, s);
    }
    lua_pop(r->L, 1);
    return s;
}

static struct slice read_id(const struct reader *r)
{
    char id[MOIL_ID_LEN + 1];
    struct slice s = read_name(r, "id");

    if (s.p) {
        return s;
    }
    moil_id_new(id);
    lua_pushlstring(r->L, id, MOIL_ID_LEN); /* id */
    lua_setfield(r->L, r->idx, "id");
    return moil_call_put(r->call, slice_of(id, MOIL_ID_LEN));
}

static lua_Number read_number(const struct reader *r, const char *field, lua_Number absent)
{
    lua_Number v =
        lua_getfield(r->L, r->idx, field) == LUA_TNUMBER ? lua_tonumber(r->L, -1) : absent;

    lua_pop(r->L, 1);
    return v;
}

static void fail_text(const struct reader *r, int err, const struct json_sink *to)
{
    char what[120];

    if (err == MOIL_ETOOLARGE) {
        snprintf(what, sizeof what, "arguments and options of more than the %zu bytes allowed",
                 r->max);
    } else {
        snprintf(what, sizeof what, "%s", moil_strerror(err));
    }
    fail(r, err, err == MOIL_EINVAL ? to->err : what);
}

/* Takes a text from what the job may have. */
static struct slice take_text(struct reader *r, size_t from)
{
    size_t n = r->call->request.len - from;

    r->left -= n;
    return moil_call_place(from, n);
}

static struct slice read_args(struct reader *r)
{
    size_t from = r->call->request.len;
    struct json_sink to = {.out = &r->call->request, .max = r->left};
    int code;

    lua_getfield(r->L, r->idx, "args"); /* args */
    code = moil_json_encode_args(r->L, -1, (lua_Integer)read_number(r, "n", 0), &to);
    if (code != 0) {
        fail_text(r, code, &to);
    }
    lua_pop(r->L, 1);
    return take_text(r, from);
}

/* A table that must become a JSON object; absent when there is none or it is empty. */
static struct slice read_object(struct reader *r, const char *field)
{
    struct buffer *request = &r->call->request;
    size_t from = request->len;
    struct json_sink to = {.out = request, .max = r->left};
    int code;

    if (lua_getfield(r->L, r->idx, field) != LUA_TTABLE) { /* value */
        lua_pop(r->L, 1);
        return (struct slice){0};
    }
    to.root = strcmp(field, "extra") == 0 ? "options" : field;
    code = moil_json_encode(r->L, -1, &to);
    if (code != 0) {
        fail_text(r, code, &to);
    }
    lua_pop(r->L, 1);
    if (request->len - from == 2) { /* [] or {} */
        request->len = from;
        return (struct slice){0};
    }
    if (request->data[from] != '{') {
        fail(r, MOIL_EINVAL, "kwargs: must be a table of names and values");
    }
    return take_text(r, from);
}

/* The texts of many calls wait in one request, outside of what the ledger counts. */
static void check_request(const struct reader *r)
{
    const struct run *run = moil_call_run(r->call);

    if (run && run->memory_limit && r->call->request.len > run->memory_limit) {
        fail(r, MOIL_ETOOLARGE,
             "the calls before it are larger than the job's memory limit: enqueue fewer at a time");
    }
}

static void read_due(const struct reader *r, struct submission *sub)
{
    lua_Number delay = read_number(r, "delay", 0);
    lua_Number due = read_number(r, "due", 0);

    if (delay > 0) {
        sub->delayed = true;
        sub->due_is_relative = true;
        sub->due_ms = (int64_t)ceil(delay * 1000);
    } else if (due > 0) {
        sub->delayed = true;
        sub->due_ms = (int64_t)ceil(due * 1000);
    }
}

void moil_submission_read(lua_State *L, int idx, const struct bind *bind, struct vm_call *call,
                          struct submission *sub)
{
    size_t max = moil_host_payload(&bind->host);
    struct reader r = {.L = L, .idx = idx, .call = call, .max = max, .left = max};
    struct job *job = &sub->job;

    luaL_checktype(L, idx, LUA_TTABLE);
    memset(sub, 0, sizeof *sub);
    lua_getfield(L, idx, "task"); /* task */
    r.task = lua_isstring(L, -1) ? lua_tostring(L, -1) : "?";
    check_request(&r);
    job->task = read_name(&r, "task");
    job->queue = read_name(&r, "queue");
    job->id = read_id(&r);
    job->args = read_args(&r);
    job->kwargs = read_object(&r, "kwargs");
    job->extra = read_object(&r, "extra");
    job->priority = (int)read_number(&r, "priority", MOIL_PRIORITY_DEFAULT);
    job->enqueued_us = moil_clock_stamp_us();
    lua_getfield(L, idx, "at_front"); /* task at_front */
    sub->at_front = lua_toboolean(L, -1);
    read_due(&r, sub);
    lua_pop(L, 2);
}

void moil_submission_settle(const struct vm_call *call, struct submission *sub)
{
    struct job *job = &sub->job;

    moil_call_settle(call, &job->id);
    moil_call_settle(call, &job->task);
    moil_call_settle(call, &job->queue);
    moil_call_settle(call, &job->args);
    moil_call_settle(call, &job->kwargs);
    moil_call_settle(call, &job->extra);
}
