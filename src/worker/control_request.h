/* What the Lua side asks of the scripts of commands for nodes: one text for host_control.c and
 * api/lua_module.c. Pure but for the call that it fills. */
#ifndef MOIL_WORKER_CONTROL_REQUEST_H
#define MOIL_WORKER_CONTROL_REQUEST_H

#include "net/args.h"
#include "net/reply.h"
#include "queue/scripts.h"
#include "vm/host.h"

enum script_id moil_control_request_script(const struct vm_control *ask);
void moil_control_request_args(const struct vm_control *ask, struct args *a);
void moil_control_request_answer(struct vm_call *call, const struct reply *reply);

#endif
