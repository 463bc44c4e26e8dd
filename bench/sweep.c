/* What the end of a result's life costs: runs the agent's sweep script until nothing is left that
 * expired.
 *
 *   sweep
 *
 * `raw JOBS 1 expired` makes what it sweeps. Prints Redis's CPU per record. */
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>

#include "queue/broker.h"
#include "support/meter.h"

enum { TIMEOUT_MS = 60000 };

struct sweep {
    struct ev_loop *loop;
    struct broker broker;
    int64_t swept;
};

static void call(struct sweep *s);

static void swept(void *data, int err, const struct reply *reply)
{
    struct sweep *s = data;
    if (err)
        bench_die("sweep: error %d", err);
    s->swept += moil_reply_integer(moil_reply_at(reply, 0));
    if (moil_reply_integer(moil_reply_at(reply, 1)) == 1)
        call(s);
    else
        ev_break(s->loop, EVBREAK_ALL);
}

/* The bounds of the dead set, which is empty here. */
static void call(struct sweep *s)
{
    moil_args_clear(&s->broker.args);
    moil_args_int(&s->broker.args, 100000);
    moil_args_int(&s->broker.args, 86400);
    if (moil_broker_eval(&s->broker, SCRIPT_SWEEP, swept, s) != 0)
        bench_die("sweep: not sent");
}

static void link_up(void *data)
{
    call(data);
}

int main(void)
{
    static struct sweep s;
    struct meter m;
    struct url url;
    char why[256];
    bench_meter_open(&m);
    s.loop = ev_default_loop(0);
    if (moil_url_parse(getenv("MOIL_REDIS"), &url, why, sizeof why) != 0)
        bench_die("sweep: MOIL_REDIS is not set right");
    struct link *link =
        moil_link_new(s.loop, &url, &(struct link_hooks){.on_up = link_up, .data = &s});
    if (!link || moil_broker_init(&s.broker, link, "moil", TIMEOUT_MS) != 0)
        bench_die("sweep: cannot begin");
    struct reading first = bench_meter_read(&m);
    moil_link_start(link);
    ev_run(s.loop, 0);
    struct reading last = bench_meter_read(&m);
    if (s.swept == 0)
        bench_die("sweep: nothing had expired");
    printf("redis_us %.3f\n", (last.redis_cpu_us - first.redis_cpu_us) / (double)s.swept);
    return 0;
}
