/* worker_options.c: see worker.h. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/locate.h"
#include "api/roles.h"
#include "api/settings.h"
#include "api/worker.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/id.h"
#include "base/json_dump.h"
#include "base/mem.h"
#include "queue/lease.h"
#include "worker/native.h"

enum { LEASE_S = 60, LEASE_MIN_S = 1, MB = 1024 * 1024, STRINGS = 6, PATHS_MAX = 10000 };

/* --- copies ----------------------------------------------------------------------------------- */

static size_t count_paths(const char *const *paths)
{
    size_t n = 0;
    while (paths && paths[n] && n < PATHS_MAX)
        n++;
    return n;
}

/* A copy of a string, kept in the list. False when out of memory. */
static bool keep(moil_worker *h, size_t *kept, const char **text)
{
    if (!*text)
        return true;
    char *copy = moil_mem_strdup(*text);
    if (!copy)
        return false;
    h->owned[(*kept)++] = copy;
    *text = copy;
    return true;
}

static bool copy_strings(moil_worker *h)
{
    moil_worker_options *o = &h->options;
    const char **strings[STRINGS] = {&o->url,  &o->ns,      &o->queues,
                                     &o->name, &o->lua_dir, &o->config_json};
    size_t paths = count_paths(o->paths), kept = 0;
    h->owned = moil_mem_zalloc(STRINGS + paths + 1, sizeof *h->owned);
    h->paths = moil_mem_zalloc(paths + 1, sizeof *h->paths);
    if (!h->owned || !h->paths)
        return false;
    for (size_t i = 0; i < STRINGS; i++)
        if (!keep(h, &kept, strings[i]))
            return false;
    for (size_t i = 0; i < paths; i++) {
        h->paths[i] = o->paths[i];
        if (!keep(h, &kept, &h->paths[i]))
            return false;
    }
    o->paths = h->paths;
    return true;
}

void moil_host_free_options(moil_worker *h)
{
    for (char **text = h->owned; text && *text; text++)
        moil_mem_free(*text);
    moil_mem_free(h->owned);
    moil_mem_free(h->paths);
}

/* --- defaults and checks ---------------------------------------------------------------------- */

/* Those that the runtime has too have its defaults and bounds. */
static int fill(moil_worker *h, char *errstr, size_t errlen)
{
    moil_worker_options *o = &h->options;
    moil_runtime_options r = {
        .ns = o->ns,
        .queues = o->queues,
        .concurrency = o->concurrency,
        .time_limit = o->time_limit,
        .soft_time_limit = o->soft_time_limit,
        .memory_limit = o->memory_limit,
        .max_memory = o->max_memory,
        .result_ttl = o->result_ttl,
        .max_payload = o->max_payload,
    };
    moil_settings_fill(&r);
    o->ns = r.ns;
    o->concurrency = r.concurrency;
    o->time_limit = r.time_limit;
    o->soft_time_limit = r.soft_time_limit;
    o->result_ttl = r.result_ttl;
    o->max_payload = r.max_payload;
    if ((unsigned)o->limits > MOIL_LIMITS_NONE) {
        snprintf(errstr, errlen, "limits: none of MOIL_LIMITS_…");
        return MOIL_EINVAL;
    }
    o->lease = o->lease == 0 ? LEASE_S : o->lease;
    if (!(o->lease >= LEASE_MIN_S && o->lease <= MOIL_LEASE_MAX_S)) {
        snprintf(errstr, errlen, "lease: %d to %d seconds", LEASE_MIN_S, MOIL_LEASE_MAX_S);
        return MOIL_EINVAL;
    }
    return moil_settings_check(&r, errstr, errlen);
}

static int check_config(const moil_worker_options *o, char *errstr, size_t errlen)
{
    json_t *config = o->config_json ? json_loads(o->config_json, JSON_ALLOW_NUL, NULL) : NULL;
    bool fits = !o->config_json || json_is_object(config);
    json_decref(config);
    if (!fits)
        snprintf(errstr, errlen, "config_json is no JSON object");
    return fits ? 0 : MOIL_EINVAL;
}

/* The id of a node says what lease it has (queue/lease.h). */
static int name_node(moil_worker *h, char *errstr, size_t errlen)
{
    const char *name = h->options.name;
    char id[MOIL_ID_LEN + 1], host[128] = "localhost";
    if (name && *name) {
        snprintf(h->node, sizeof h->node, "%.201s", name);
    } else {
        gethostname(host, sizeof host - 1);
        snprintf(h->node, sizeof h->node, "%s-%d", host, (int)getpid());
    }
    if (!moil_name_is_valid(slice_str(h->node))) {
        snprintf(errstr, errlen, "name \"%.80s\": 1 to 200 printable characters without space",
                 h->node);
        return MOIL_EINVAL;
    }
    moil_id_new(id);
    snprintf(h->node_id, sizeof h->node_id, "%s/%.8s:%.0f", h->node, id, ceil(h->options.lease));
    return 0;
}

int moil_host_take_options(moil_worker *h, const moil_worker_options *options, char *errstr,
                           size_t errlen)
{
    h->options = *options;
    if (!copy_strings(h)) {
        snprintf(errstr, errlen, "out of memory");
        return MOIL_ENOMEM;
    }
    int err = moil_locate(h->options.url, true, &h->url, errstr, errlen);
    if (!err)
        err = fill(h, errstr, errlen);
    if (!err)
        err = check_config(&h->options, errstr, errlen);
    if (!err)
        err = name_node(h, errstr, errlen);
    h->started_at = (double)moil_clock_wall_us() / 1e6;
    return err;
}

void moil_host_worker_options(const moil_worker *h, struct worker_options *out)
{
    static const enum worker_limits limits[] = {
        [MOIL_LIMITS_HOOK] = WORKER_LIMITS_HOOK,
        [MOIL_LIMITS_SIGNAL] = WORKER_LIMITS_SIGNAL,
        [MOIL_LIMITS_NONE] = WORKER_LIMITS_NONE,
    };
    const moil_worker_options *o = &h->options;
    *out = (struct worker_options){
        .url = &h->url,
        .ns = o->ns,
        .paths = o->paths,
        .queues = o->queues,
        .node = h->node_id,
        .lua_dir = o->lua_dir,
        .config_json = slice_str(o->config_json ? o->config_json : ""),
        .concurrency = o->concurrency,
        .time_limit_s = o->time_limit,
        .soft_time_limit_s = o->soft_time_limit,
        .memory_limit = (size_t)(o->memory_limit * MB),
        .state_memory = (size_t)(o->max_memory * MB),
        .result_ttl_s = o->result_ttl,
        .max_payload = o->max_payload,
        .tasks = (struct moil_tasks *)o->tasks, /* to be marked as in use */
        .limits = limits[o->limits],
        .shares_loop = true,
        .quiet = h->quiet,
    };
}

/* --- the report ------------------------------------------------------------------------------- */

static bool add_task(void *data, struct task *task)
{
    json_array_append_new((json_t *)data, json_stringn(task->name.p, task->name.n));
    return true;
}

void moil_host_write_report(moil_worker *h)
{
    const struct worker *w = &h->newest->worker;
    json_t *tasks = json_array(), *queues = json_array();
    char host[128] = "";
    gethostname(host, sizeof host - 1);
    moil_vm_each_task(w->vm, add_task, tasks);
    for (size_t i = 0; i < w->queues.count; i++)
        json_array_append_new(queues, json_stringn(w->queues.names[i].p, w->queues.names[i].n));
    json_t *report =
        json_pack("{s:s, s:i, s:s, s:f, s:f, s:i, s:i, s:o, s:o}", "host", host, "pid",
                  (int)getpid(), "version", MOIL_VERSION, "started_at", h->started_at, "lease",
                  h->options.lease, "generation", (int)h->loaded, "concurrency",
                  h->options.concurrency, "queues", queues, "tasks", tasks);
    char *text = report ? moil_json_dump(report, JSON_COMPACT) : NULL;
    moil_buffer_clear(&h->report);
    if (text && strlen(text) > 2)
        moil_buffer_add(&h->report, text + 1, strlen(text) - 2);
    moil_mem_free(text);
    json_decref(report);
}
