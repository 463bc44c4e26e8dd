/* One call of the vm to its host: what is asked (borrowed by the host until it answers) and the
 * answer, as plain bytes, so that a host on its loop never touches a lua_State. A run owns one; so
 * does the binding in a plain program.
 *
 * Hosts see it through host.h only; bind_*.c fill and read it. */
#ifndef MOIL_VM_CALL_H
#define MOIL_VM_CALL_H

#include <lua.h>

#include "base/buffer.h"
#include "vm/host.h"

struct vm_call {
    struct run *run;       /* NULL in a plain program */
    struct buffer request; /* bytes that the question's slices point into */
    struct submission *subs;
    size_t sub_cap;
    struct graph graph; /* of workflows; its lists: */
    struct buffer ids, members, lines, deps;
    struct buffer answers; /* of struct answer */
    struct buffer text;    /* the bytes of the answers' strings */
    bool failed;
    char code[64];
    char message[512];
};

void moil_call_init(struct vm_call *call, struct run *run);
void moil_call_fini(struct vm_call *call);

/* Forgets question and answer; keeps the memory unless it has grown large. */
void moil_call_clear(struct vm_call *call);

/* Room for that many submissions; false: out of memory. */
bool moil_call_reserve(struct vm_call *call, size_t subs);

/* Copies bytes into the request. The slice is a place in it until moil_call_settle makes it a slice
 * of bytes, because the request moves as it grows. */
struct slice moil_call_put(struct vm_call *call, struct slice s);
struct slice moil_call_place(size_t offset, size_t n);
void moil_call_settle(const struct vm_call *call, struct slice *s);

/* Pushes the answers, and returns their number. [-0, +n, m] */
int moil_call_push(const struct vm_call *call, lua_State *L);
size_t moil_call_answer_count(const struct vm_call *call);
bool moil_call_answer_bool(const struct vm_call *call, size_t i); /* false when it is none */
struct slice moil_call_answer_text(const struct vm_call *call, size_t i); /* empty likewise */

#endif
