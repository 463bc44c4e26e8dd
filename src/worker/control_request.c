/* control_request.c: see control_request.h. */
#include "worker/control_request.h"

enum script_id moil_control_request_script(const struct vm_control *ask)
{
    static const enum script_id scripts[] = {
        [VM_CONTROL_ASK] = SCRIPT_CONTROL,
        [VM_CONTROL_HEAR] = SCRIPT_CONTROL_HEAR,
        [VM_CONTROL_LIMIT] = SCRIPT_TIME_LIMIT,
        [VM_CONTROL_LIMITS] = SCRIPT_TIME_LIMITS,
    };
    return scripts[ask->verb];
}

void moil_control_request_args(const struct vm_control *ask, struct args *a)
{
    for (size_t i = 0; i < ask->count; i++)
        moil_args_slice(a, ask->args[i]);
}

static void add(struct vm_call *call, const struct reply *reply)
{
    struct slice text = moil_reply_slice(reply);
    if (text.p)
        moil_call_add_string(call, text);
    else
        moil_call_add_int(call, moil_reply_integer(reply));
}

void moil_control_request_answer(struct vm_call *call, const struct reply *reply)
{
    if (moil_reply_type(reply) != REPLY_ARRAY) {
        add(call, reply);
        return;
    }
    for (size_t i = 0; i < moil_reply_count(reply); i++)
        add(call, moil_reply_at(reply, i));
}
