/* lua_module.c: `moil.core` for a plain Lua program: the same bindings as in a worker, over a
 * blocking client.
 *
 * require "moil" in lua5.4 finds lua/moil/init.lua, which requires this. One client per program,
 * opened at the first use or by moil.connect; it lives as long as the Lua state. */
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/client.h"
#include "api/plain_host.h"
#include "base/error.h"
#include "queue/describe.h"
#include "queue/message.h"
#include "vm/bind.h"
#include "worker/control_request.h"

struct program_host {
    struct moil_client *client; /* NULL before the first use */
    struct ev_loop *loop;       /* the default one, for child programs; NULL before the first */
};

static const char *code_of(int status)
{
    return moil_error_code(status);
}

static enum vm_answer fail(struct vm_call *call, const struct moil_client *c, int status)
{
    moil_call_fail(call, code_of(status),
                   c && moil_client_error(c)[0] ? moil_client_error(c) : moil_strerror(status));
    return VM_READY;
}

/* The client, or NULL with the call failed. */
static struct moil_client *client_of(struct program_host *h, struct vm_call *call)
{
    char errstr[512];
    const char *ns = getenv("MOIL_NAMESPACE");
    int status = h->client ? 0
                           : moil_client_open(&h->client, &(moil_client_options){.ns = ns}, errstr,
                                              sizeof errstr);
    if (status)
        moil_call_fail(call, code_of(status), errstr);
    return h->client;
}

static enum vm_answer host_connect(void *data, struct vm_call *call, struct slice url)
{
    struct program_host *h = data;
    struct moil_client *fresh;
    char errstr[512], text[2048];
    snprintf(text, sizeof text, "%.*s", (int)url.n, url.p);
    moil_client_options options = {.url = text, .ns = getenv("MOIL_NAMESPACE")};
    int status = moil_client_open(&fresh, &options, errstr, sizeof errstr);
    if (status) {
        moil_call_fail(call, code_of(status), errstr);
    } else {
        moil_client_close(h->client);
        h->client = fresh;
    }
    return VM_READY;
}

static enum vm_answer host_enqueue(void *data, struct vm_call *call, struct submission *subs,
                                   size_t count)
{
    struct moil_client *c = client_of(data, call);
    if (!c)
        return VM_READY;
    int status = moil_client_submit(c, subs, count);
    if (status)
        return fail(call, c, status);
    for (size_t i = 0; i < count; i++)
        moil_call_add_bool(call, subs[i].created);
    return VM_READY;
}

static enum vm_answer host_submit_graph(void *data, struct vm_call *call, const struct graph *graph)
{
    struct moil_client *c = client_of(data, call);
    char token[MOIL_ID_LEN + 1];
    bool created = false;
    if (!c)
        return VM_READY;
    int status = moil_client_submit_graph(c, graph, &created, token);
    if (status)
        return fail(call, c, status);
    if (graph->aim == GRAPH_STAGE)
        moil_call_add_string(call, slice_str(token));
    else
        moil_call_add_bool(call, created);
    return VM_READY;
}

static int take_page(void *data, const struct reply *reply)
{
    struct vm_call *call = data;
    if (moil_reply_type(reply) == REPLY_NIL)
        return MOIL_STATUS_UNKNOWN;
    for (size_t i = 0; i < moil_reply_count(reply); i++) {
        const struct reply *item = moil_reply_at(reply, i);
        if (moil_reply_type(item) == REPLY_INTEGER)
            moil_call_add_int(call, moil_reply_integer(item));
        else
            moil_call_add_string(call, moil_reply_slice(item));
    }
    return 0;
}

static enum vm_answer host_page(void *data, struct vm_call *call, const struct vm_page *page)
{
    struct moil_client *c = client_of(data, call);
    if (!c)
        return VM_READY;
    int status = moil_client_gather(c, page->id, page->from, page->limit, page->values ? "v" : "s",
                                    take_page, call);
    if (status == MOIL_STATUS_UNKNOWN)
        moil_client_fail(c, status, "no such group: never enqueued, or its results have expired");
    return status ? fail(call, c, status) : VM_READY;
}

/* --- waiting ---------------------------------------------------------------------------------- */

/* The first progress that differs from the one seen ends the wait: Lua calls on_message and waits
 * again. */
struct progress {
    struct slice seen;
    struct buffer state, meta, text;
};

static int take_progress(void *data, struct slice state, struct slice meta)
{
    struct progress *p = data;
    struct buffer text;
    moil_buffer_init(&text);
    moil_buffer_add_slice(&text, state);
    moil_buffer_add_char(&text, '\n');
    moil_buffer_add_slice(&text, meta);
    bool known = slice_eq(moil_buffer_slice(&text), p->seen);
    if (!known) {
        moil_buffer_add_slice(&p->state, state);
        moil_buffer_add_slice(&p->meta, meta);
        moil_buffer_add_slice(&p->text, moil_buffer_slice(&text));
    }
    moil_buffer_fini(&text);
    return !known;
}

static enum vm_answer host_wait(void *data, struct vm_call *call, const struct vm_wait *wait)
{
    struct moil_client *c = client_of(data, call);
    if (!c)
        return VM_READY;
    struct progress p = {.seen = wait->seen};
    struct buffer record;
    struct outcome_record o;
    moil_buffer_init(&record);
    int status = moil_client_await(c, wait->id, wait->timeout_s,
                                   wait->progress ? take_progress : NULL, &p, &record);
    if (p.state.len) {
        moil_call_add_string(call, moil_buffer_slice(&p.state));
        moil_call_add_string(call, moil_buffer_slice(&p.meta));
        moil_call_add_string(call, moil_buffer_slice(&p.text));
    } else if (status) {
        fail(call, c, status);
    } else if (moil_outcome_decode(moil_buffer_slice(&record), &o) != 0) {
        moil_call_fail(call, "BadMessage", "the job's record is damaged or not moil's");
    } else {
        moil_call_add_string(call, o.state);
        moil_call_add_string(call, o.value);
    }
    moil_buffer_fini(&record);
    moil_buffer_fini(&p.state);
    moil_buffer_fini(&p.meta);
    moil_buffer_fini(&p.text);
    return VM_READY;
}

/* --- questions -------------------------------------------------------------------------------- */

static enum vm_answer host_query(void *data, struct vm_call *call, const struct vm_question *q)
{
    struct moil_client *c = client_of(data, call);
    char name[MOIL_NAME_MAX + 1], state[MOIL_NAME_MAX + 1], *json = NULL;
    if (!c)
        return VM_READY;
    snprintf(name, sizeof name, "%.*s", (int)q->id.n, q->id.p);
    int status = MOIL_STATUS_INVALID;
    switch (q->query) {
    case VM_INSPECT:
        status = moil_inspect_job(c, name, &json);
        if (!status)
            moil_call_add_string(call, slice_str(json));
        moil_free(json);
        break;
    case VM_REVOKE:
        status = moil_revoke(c, name, q->terminate, state);
        if (!status)
            moil_call_add_string(call, slice_str(state));
        break;
    case VM_RESCHEDULE:
        status = moil_reschedule(c, name, q->countdown, q->eta, state);
        if (!status)
            moil_call_add_string(call, slice_str(state));
        break;
    case VM_FORGET:
        status = moil_forget(c, name);
        if (status >= 0)
            moil_call_add_bool(call, status == 1);
        break;
    case VM_DELETE:
        status = moil_delete(c, name);
        if (status == 0 || status == MOIL_STATUS_STATE) {
            moil_call_add_bool(call, status == 0);
            status = 0;
        }
        break;
    }
    return status < 0 ? fail(call, c, status) : VM_READY;
}

static enum vm_answer host_beat(void *data, struct vm_call *call, const struct vm_beat *ask)
{
    if (ask->verb == VM_BEAT_NEXT)
        return moil_plain_beat_next(call, ask);
    struct moil_client *c = client_of(data, call);
    struct buffer json;
    if (!c)
        return VM_READY;
    moil_buffer_init(&json);
    int status = moil_client_beat(c, ask, &json);
    if (status)
        fail(call, c, status);
    else
        moil_call_add_string(call, moil_buffer_slice(&json));
    moil_buffer_fini(&json);
    return VM_READY;
}

struct control_call {
    const struct vm_control *ask;
    struct vm_call *call;
};

static void fill_control(struct args *a, void *data)
{
    moil_control_request_args(((struct control_call *)data)->ask, a);
}

static int take_control(void *data, const struct reply *reply)
{
    moil_control_request_answer(((struct control_call *)data)->call, reply);
    return 0;
}

static enum vm_answer host_control(void *data, struct vm_call *call, const struct vm_control *ask)
{
    struct moil_client *c = client_of(data, call);
    struct control_call both = {ask, call};
    if (!c)
        return VM_READY;
    moil_client_begin(c, c->deadline_s);
    int status =
        moil_client_call(c, moil_control_request_script(ask), fill_control, take_control, &both);
    return status < 0 ? fail(call, c, status) : VM_READY;
}

/* --- without Redis ---------------------------------------------------------------------------- */

static enum vm_answer host_sleep(void *data, struct vm_call *call, double seconds)
{
    (void)data;
    (void)call;
    ev_sleep(seconds > 0 ? seconds : 0);
    return VM_READY;
}

static enum vm_answer host_spawn(void *data, struct vm_call *call, const struct vm_spawn *spawn)
{
    struct program_host *h = data;
    return moil_plain_spawn(&h->loop, call, spawn);
}

static enum vm_answer host_update_state(void *data, struct vm_call *call, struct slice state,
                                        struct slice meta)
{
    (void)data;
    (void)state;
    (void)meta;
    moil_call_fail(call, "BadArgument", "only a running job has a state to update");
    return VM_READY;
}

static int host_gc(lua_State *L)
{
    struct program_host *h = lua_touserdata(L, 1);
    moil_client_close(h->client);
    h->client = NULL;
    if (h->loop)
        ev_loop_destroy(h->loop); /* with its SIGCHLD handler, whose code goes with this module */
    h->loop = NULL;
    return 0;
}

__attribute__((visibility("default"))) int luaopen_moil_core(lua_State *L);

int luaopen_moil_core(lua_State *L)
{
    struct program_host *h = lua_newuserdatauv(L, sizeof *h, 0); /* host */
    *h = (struct program_host){0};
    lua_createtable(L, 0, 1); /* host, metatable */
    lua_pushcfunction(L, host_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);                                 /* host */
    lua_setfield(L, LUA_REGISTRYINDEX, "moil.program_host"); /* kept alive by the registry */
    return moil_bind_open(L, &(struct vm_host){
                                 .data = h,
                                 .enqueue = host_enqueue,
                                 .submit_graph = host_submit_graph,
                                 .page = host_page,
                                 .wait = host_wait,
                                 .query = host_query,
                                 .sleep = host_sleep,
                                 .beat = host_beat,
                                 .control = host_control,
                                 .spawn = host_spawn,
                                 .update_state = host_update_state,
                                 .connect = host_connect,
                             });
}
