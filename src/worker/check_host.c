/* check_host.c: the host of scripts that are loaded by the check child, which has no Redis and no
 * jobs: it refuses all that a job would ask. See host.h. */
#include "worker/host.h"

static enum vm_answer refuse(struct vm_call *call)
{
    moil_call_fail(call, "BadArgument",
                   "only a job can do this, not a script that is being loaded");
    return VM_READY;
}

static enum vm_answer check_enqueue(void *data, struct vm_call *call, struct submission *subs,
                                    size_t count)
{
    (void)data, (void)subs, (void)count;
    return refuse(call);
}

static enum vm_answer check_submit_graph(void *data, struct vm_call *call,
                                         const struct graph *graph)
{
    (void)data, (void)graph;
    return refuse(call);
}

static enum vm_answer check_page(void *data, struct vm_call *call, const struct vm_page *page)
{
    (void)data, (void)page;
    return refuse(call);
}

static enum vm_answer check_wait(void *data, struct vm_call *call, const struct vm_wait *wait)
{
    (void)data, (void)wait;
    return refuse(call);
}

static enum vm_answer check_query(void *data, struct vm_call *call,
                                  const struct vm_question *question)
{
    (void)data, (void)question;
    return refuse(call);
}

static enum vm_answer check_sleep(void *data, struct vm_call *call, double seconds)
{
    (void)data, (void)seconds;
    return refuse(call);
}

static enum vm_answer check_beat(void *data, struct vm_call *call, const struct vm_beat *ask)
{
    (void)data, (void)ask;
    return refuse(call);
}

static enum vm_answer check_control(void *data, struct vm_call *call, const struct vm_control *ask)
{
    (void)data, (void)ask;
    return refuse(call);
}

static enum vm_answer check_spawn(void *data, struct vm_call *call, const struct vm_spawn *spawn)
{
    (void)data, (void)spawn;
    return refuse(call);
}

static enum vm_answer check_update_state(void *data, struct vm_call *call, struct slice state,
                                         struct slice meta)
{
    (void)data, (void)state, (void)meta;
    return refuse(call);
}

static enum vm_answer check_connect(void *data, struct vm_call *call, struct slice url)
{
    (void)data, (void)url;
    return refuse(call);
}

struct vm_host moil_host_of_check(void)
{
    return (struct vm_host){
        .enqueue = check_enqueue,
        .submit_graph = check_submit_graph,
        .page = check_page,
        .wait = check_wait,
        .query = check_query,
        .sleep = check_sleep,
        .beat = check_beat,
        .control = check_control,
        .spawn = check_spawn,
        .update_state = check_update_state,
        .connect = check_connect,
    };
}
