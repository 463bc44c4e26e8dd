/* The vm under test, its runs, and its host, whose answers the spec gives.
 *
 * The spec's `host` is a table of functions by the names of struct vm_host. Each gets the question
 * as a table and returns a list of answers (nil, booleans, integers, strings; `n` of them), {fail =
 * {code, message}}, or nothing: then the run waits, and the spec answers with run:answer or
 * run:fail. */
#ifndef MOIL_SPEC_UNITS_VM_H
#define MOIL_SPEC_UNITS_VM_H

#include "units.h"
#include "vm/snapshot.h"
#include "vm/state.h"

struct test_vm {
    struct vm *vm;
    lua_State *L; /* of the spec, while it is inside of a call */
    int host_ref;
    long allocs_left; /* < 0: no bound */
    lua_Alloc alloc;
    void *alloc_data;
    struct buffer draft;       /* of what it loads */
    struct snapshot *snapshot; /* that it loads from; NULL: none */
};

struct test_run {
    struct run *run;
    struct test_vm *vm;
    struct vm_call *call; /* the one that waits */
    struct job job;
    char *bytes;
};

/* units_vm_host.c */
struct vm_host units_vm_host(struct test_vm *vm, size_t max_payload);
void units_vm_answer(lua_State *L, int idx, struct vm_call *call);

void units_set_slice(lua_State *L, const char *field, struct slice s);
void units_set_int(lua_State *L, const char *field, lua_Integer v);
void units_set_number(lua_State *L, const char *field, lua_Number v);
void units_set_bool(lua_State *L, const char *field, bool v);

#endif
