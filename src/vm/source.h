/* The texts of Lua files: from the vm's snapshot where it has them, else from disk, and noted in
 * the draft of a snapshot where one is kept.
 *
 * Called by vm/load.c alone. It knows no order, cache or search path but `package.path`. Bytecode
 * is refused everywhere: it can break the interpreter. */
#ifndef MOIL_VM_SOURCE_H
#define MOIL_VM_SOURCE_H

#include <lua.h>

#include "vm/snapshot.h"
#include "vm/vm.h"

/* Lets C functions find the vm of their state. [-0, +0, m] */
void moil_source_open(lua_State *L, struct vm *vm);
struct vm *moil_source_vm(lua_State *L);

/* The real path (PATH_MAX bytes) of a file, also of one that was deleted since the snapshot.
 * [-0, +0, e] */
void moil_source_real(lua_State *L, const struct vm *vm, const char *path, char *real);

/* Pushes the chunk of a file. [-0, +1, e] */
void moil_source_load(lua_State *L, struct vm *vm, const char *path);
int moil_source_chunk(lua_State *L); /* the same as a C function: path -> chunk */

/* The text of a file in the snapshot; false when it is not there. */
bool moil_source_find(const struct vm *vm, const char *path, struct slice *text);

/* Pushes the path of a module in the snapshot, by `package.path`, and returns true; or false.
 * [-0, +0|1, e] */
bool moil_source_push_place(lua_State *L, const struct vm *vm, const char *module);

/* Notes an entry in the draft, if there is one. */
void moil_source_note(struct vm *vm, enum snapshot_kind kind, const char *name, const char *value);

#endif
