/* host_beat.c: what jobs ask of the beat entries. A part of the worker's host (host.h). */
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "worker/beat_request.h"
#include "worker/host.h"
#include "worker/operation.h"
#include "worker/worker.h"

static void answer(struct operation *op, const struct reply *reply)
{
    struct buffer json;
    moil_buffer_init(&json);
    int err = moil_beat_request_answer(op->beat, reply, &json);
    if (err)
        moil_operation_fail_unsent(op, err);
    else
        moil_call_add_string(op->call, moil_buffer_slice(&json));
    moil_buffer_fini(&json);
}

static int send_request(struct operation *op)
{
    struct broker *b = &op->worker->broker;
    moil_args_clear(&b->args);
    moil_beat_request_args(op->beat, &b->args);
    return moil_broker_eval(b, moil_beat_request_script(op->beat), moil_operation_answered, op);
}

/* The answer that needs no Redis. */
static int answer_next(struct operation *op, char *errstr, size_t errlen)
{
    struct buffer json;
    moil_buffer_init(&json);
    int err = moil_beat_request_next(op->beat, &json, errstr, errlen);
    if (!err)
        moil_call_add_string(op->call, moil_buffer_slice(&json));
    moil_buffer_fini(&json);
    return err;
}

enum vm_answer moil_host_beat(void *data, struct vm_call *call, const struct vm_beat *ask)
{
    char errstr[512] = "out of memory";
    struct operation *op = moil_operation_new(data, call);
    if (!op)
        return VM_READY;
    op->answer = answer;
    op->beat = moil_mem_zalloc(1, sizeof *op->beat);
    int err = op->beat ? moil_beat_request_init(op->beat, ask, errstr, sizeof errstr) : MOIL_ENOMEM;
    if (!err && ask->verb != VM_BEAT_NEXT)
        return moil_operation_ask(op, send_request);
    if (!err)
        err = answer_next(op, errstr, sizeof errstr);
    if (err)
        moil_call_fail(call, moil_error_code(err), errstr);
    moil_operation_free(op);
    return VM_READY;
}
