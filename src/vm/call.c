/* The struct that carries a call to the host and its answer back. Knows no lua_State but the one it
 * pushes answers on. */
#include "vm/call.h"

#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>

#include "base/mem.h"

enum answer_kind { ANSWER_NIL, ANSWER_BOOL, ANSWER_INT, ANSWER_STRING };

struct answer {
    enum answer_kind kind;
    int64_t v;  /* the boolean, the integer, or where the string begins in `text` */
    size_t len; /* of the string */
};

enum {
    KEEP_BYTES = 16 * 1024, /* a call that needed more gives its memory back: thousands of runs may
                               sleep */
    KEEP_SUBS = 16,
};

void moil_call_init(struct vm_call *call, struct run *run)
{
    *call = (struct vm_call){.run = run};
}

void moil_call_fini(struct vm_call *call)
{
    moil_buffer_fini(&call->request);
    moil_buffer_fini(&call->answers);
    moil_buffer_fini(&call->text);
    moil_buffer_fini(&call->ids);
    moil_buffer_fini(&call->members);
    moil_buffer_fini(&call->lines);
    moil_buffer_fini(&call->deps);
    moil_mem_free(call->subs);
    call->subs = NULL;
    call->sub_cap = 0;
}

static void clear_buffer(struct buffer *b)
{
    if (b->cap > KEEP_BYTES) {
        moil_buffer_fini(b);
    } else {
        moil_buffer_clear(b);
    }
}

void moil_call_clear(struct vm_call *call)
{
    clear_buffer(&call->request);
    clear_buffer(&call->answers);
    clear_buffer(&call->text);
    if (call->graph.nodes) {
        clear_buffer(&call->ids);
        clear_buffer(&call->members);
        clear_buffer(&call->lines);
        clear_buffer(&call->deps);
        call->graph = (struct graph){0};
    }
    if (call->sub_cap > KEEP_SUBS) {
        moil_mem_free(call->subs);
        call->subs = NULL;
        call->sub_cap = 0;
    }
    call->failed = false;
}

bool moil_call_reserve(struct vm_call *call, size_t subs)
{
    struct submission *grown;

    if (call->sub_cap >= subs) {
        return true;
    }
    grown = moil_mem_realloc(call->subs, subs * sizeof *grown);
    if (grown) {
        call->subs = grown;
        call->sub_cap = subs;
    }
    return grown != NULL;
}

/* --- the question ----------------------------------------------------------------------------- */

struct slice moil_call_place(size_t offset, size_t n)
{
    return slice_of((const char *)(uintptr_t)(offset + 1), n); /* + 1: NULL stays "absent" */
}

struct slice moil_call_put(struct vm_call *call, struct slice s)
{
    size_t offset = call->request.len;

    if (!s.p) {
        return s;
    }
    moil_buffer_add_slice(&call->request, s);
    moil_buffer_add_char(&call->request, '\0');
    return moil_call_place(offset, s.n);
}

void moil_call_settle(const struct vm_call *call, struct slice *s)
{
    if (s->p && call->request.data) {
        s->p = call->request.data + ((uintptr_t)s->p - 1);
    }
}

/* --- the answer ------------------------------------------------------------------------------- */

struct run *moil_call_run(struct vm_call *call)
{
    return call->run;
}

static void add(struct vm_call *call, struct answer a)
{
    moil_buffer_add(&call->answers, &a, sizeof a);
    if (call->answers.failed) {
        moil_call_fail(call, "OutOfMemory", "out of memory");
    }
}

void moil_call_add_nil(struct vm_call *call)
{
    add(call, (struct answer){.kind = ANSWER_NIL});
}

void moil_call_add_bool(struct vm_call *call, bool v)
{
    add(call, (struct answer){.kind = ANSWER_BOOL, .v = v});
}

void moil_call_add_int(struct vm_call *call, int64_t v)
{
    add(call, (struct answer){.kind = ANSWER_INT, .v = v});
}

void moil_call_add_string(struct vm_call *call, struct slice s)
{
    size_t offset = call->text.len;

    moil_buffer_add_slice(&call->text, s);
    if (call->text.failed) {
        moil_call_fail(call, "OutOfMemory", "out of memory");
        return;
    }
    add(call, (struct answer){.kind = ANSWER_STRING, .v = (int64_t)offset, .len = s.n});
}

void moil_call_fail(struct vm_call *call, const char *code, const char *message)
{
    call->failed = true;
    snprintf(call->code, sizeof call->code, "%s", code);
    snprintf(call->message, sizeof call->message, "%s", message);
}

size_t moil_call_answer_count(const struct vm_call *call)
{
    return call->answers.len / sizeof(struct answer);
}

static struct answer answer_at(const struct vm_call *call, size_t i)
{
    struct answer a;

    memcpy(&a, call->answers.data + i * sizeof a, sizeof a);
    return a;
}

bool moil_call_answer_bool(const struct vm_call *call, size_t i)
{
    struct answer a = answer_at(call, i);

    return a.kind == ANSWER_BOOL && a.v != 0;
}

struct slice moil_call_answer_text(const struct vm_call *call, size_t i)
{
    struct answer a = answer_at(call, i);

    return a.kind == ANSWER_STRING && a.len ? slice_of(call->text.data + a.v, a.len)
                                            : slice_of("", 0);
}

int moil_call_push(const struct vm_call *call, lua_State *L)
{
    size_t count = moil_call_answer_count(call);

    luaL_checkstack(L, (int)count, "too many answers");
    for (size_t i = 0; i < count; i++) {
        struct answer a = answer_at(call, i);

        switch (a.kind) {
        case ANSWER_NIL:
            lua_pushnil(L);
            break;
        case ANSWER_BOOL:
            lua_pushboolean(L, a.v != 0);
            break;
        case ANSWER_INT:
            lua_pushinteger(L, a.v);
            break;
        case ANSWER_STRING:
            lua_pushlstring(L, a.len ? call->text.data + a.v : "", a.len);
            break;
        }
    }
    return (int)count;
}
