/* plain_host.c: see plain_host.h. */
#include "api/plain_host.h"

#include "base/error.h"
#include "worker/beat_request.h"
#include "worker/program.h"

struct spawned {
    struct vm_call *call;
    bool done;
};

static void program_ended(void *data, const struct program_result *r)
{
    struct spawned *s = data;
    moil_program_answer(s->call, r);
    s->done = true;
}

enum vm_answer moil_plain_spawn(struct ev_loop **loop, struct vm_call *call,
                                const struct vm_spawn *spawn)
{
    struct spawned s = {.call = call};
    char errstr[256];
    if (!*loop)
        *loop = ev_default_loop(EVFLAG_AUTO);
    if (!*loop || !moil_program_start(*loop, spawn, program_ended, &s, errstr, sizeof errstr)) {
        moil_call_fail(call, "BadArgument", *loop ? errstr : "cannot make an event loop");
        return VM_READY;
    }
    while (!s.done)
        ev_run(*loop, EVRUN_ONCE);
    return VM_READY;
}

enum vm_answer moil_plain_beat_next(struct vm_call *call, const struct vm_beat *ask)
{
    struct beat_request request;
    struct buffer json;
    char why[512] = "out of memory";
    moil_buffer_init(&json);
    int err = moil_beat_request_init(&request, ask, why, sizeof why);
    if (!err)
        err = moil_beat_request_next(&request, &json, why, sizeof why);
    if (err)
        moil_call_fail(call, moil_error_code(err), why);
    else
        moil_call_add_string(call, moil_buffer_slice(&json));
    moil_beat_request_fini(&request);
    moil_buffer_fini(&json);
    return VM_READY;
}
