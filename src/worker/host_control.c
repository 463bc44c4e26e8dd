/* host_control.c: commands for nodes that jobs send. A part of the worker's host (host.h). */
#include "worker/control_request.h"
#include "worker/host.h"
#include "worker/operation.h"
#include "worker/worker.h"

static void answer(struct operation *op, const struct reply *reply)
{
    moil_control_request_answer(op->call, reply);
}

static int send_request(struct operation *op)
{
    struct broker *b = &op->worker->broker;
    moil_args_clear(&b->args);
    moil_control_request_args(&op->control, &b->args);
    return moil_broker_eval(b, moil_control_request_script(&op->control), moil_operation_answered,
                            op);
}

enum vm_answer moil_host_control(void *data, struct vm_call *call, const struct vm_control *ask)
{
    struct operation *op = moil_operation_new(data, call);
    if (!op)
        return VM_READY;
    op->control = *ask;
    op->answer = answer;
    return moil_operation_ask(op, send_request);
}
