/* What Lua asks of its host where no worker is and nothing need be asked of Redis: the answers of a
 * plain Lua program (lua_module.c) and of a replay (replay.c), which block. */
#ifndef MOIL_API_PLAIN_HOST_H
#define MOIL_API_PLAIN_HOST_H

#include <ev.h>

#include "vm/host.h"

/* *loop: NULL before the first program; the default loop, which the caller destroys. */
enum vm_answer moil_plain_spawn(struct ev_loop **loop, struct vm_call *call,
                                const struct vm_spawn *spawn);

/* The same in a process that is ours, on a loop of its own: a signal that ends it ends the program
 * first, which is no child of who sent it. */
enum vm_answer moil_plain_spawn_ours(struct ev_loop **loop, struct vm_call *call,
                                     const struct vm_spawn *spawn);

/* VM_BEAT_NEXT. */
enum vm_answer moil_plain_beat_next(struct vm_call *call, const struct vm_beat *ask);

#endif
