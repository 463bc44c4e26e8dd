/* plain_host.c: see plain_host.h. */
#include "api/plain_host.h"

#include <signal.h>

#include "base/error.h"
#include "worker/beat_request.h"
#include "worker/program.h"

enum { ENDS_MAX = 4 };
static const int ends[ENDS_MAX] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

struct spawned {
    struct vm_call *call;
    struct program *program;
    bool done;
};

static void program_ended(void *data, const struct program_result *r)
{
    struct spawned *s = data;
    moil_program_answer(s->call, r);
    s->done = true;
}

/* False, with the call's failure, when it cannot be started. */
static bool start(struct ev_loop **loop, struct spawned *s, const struct vm_spawn *spawn)
{
    char errstr[256] = "cannot make an event loop";
    if (!*loop)
        *loop = ev_default_loop(EVFLAG_AUTO);
    if (*loop)
        s->program = moil_program_start(*loop, spawn, program_ended, s, errstr, sizeof errstr);
    if (!s->program)
        moil_call_fail(s->call, "BadArgument", errstr);
    return s->program != NULL;
}

enum vm_answer moil_plain_spawn(struct ev_loop **loop, struct vm_call *call,
                                const struct vm_spawn *spawn)
{
    struct spawned s = {.call = call};
    if (start(loop, &s, spawn)) {
        while (!s.done)
            ev_run(*loop, EVRUN_ONCE);
    }
    return VM_READY;
}

static void end_cb(struct ev_loop *loop, ev_signal *w, int events)
{
    (void)events;
    struct spawned *s = w->data;
    int signum = w->signum;
    if (s->program && !s->done)
        moil_program_kill(s->program);
    ev_signal_stop(loop, w); /* the default action is back */
    raise(signum);
}

enum vm_answer moil_plain_spawn_ours(struct ev_loop **loop, struct vm_call *call,
                                     const struct vm_spawn *spawn)
{
    struct spawned s = {.call = call};
    ev_signal watchers[ENDS_MAX];
    if (!*loop)
        *loop = ev_default_loop(EVFLAG_AUTO);
    for (int i = 0; *loop && i < ENDS_MAX; i++) { /* before there is a program to be left behind */
        ev_signal_init(&watchers[i], end_cb, ends[i]);
        watchers[i].data = &s;
        ev_signal_start(*loop, &watchers[i]);
    }
    bool started = start(loop, &s, spawn);
    while (started && !s.done)
        ev_run(*loop, EVRUN_ONCE);
    if (*loop && !started)
        ev_run(*loop, EVRUN_NOWAIT); /* a signal that came meanwhile */
    for (int i = 0; *loop && i < ENDS_MAX; i++)
        ev_signal_stop(*loop, &watchers[i]);
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
