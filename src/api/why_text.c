/* why_text.c: see why.h. Reads JSON, writes sentences; asks nobody. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/why.h"
#include "base/utf8.h"

enum { NAMED_MAX = 10 }; /* jobs that get a sentence of their own */

static const char *string_of(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : "?";
}

/* Adds a reason, and returns it for more members; it is the list's. */
static json_t *add(json_t *list, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static json_t *add(json_t *list, const char *code, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    moil_utf8_mend(text);
    json_t *reason = json_object();
    json_object_set_new(reason, "code", json_string(code));
    json_object_set_new(reason, "text", json_string(text));
    json_array_append_new(list, reason);
    return reason;
}

/* "42 s", "5 min", "3.2 h" */
static const char *span(double seconds, char out[32])
{
    double s = seconds > 0 ? seconds : 0;
    if (s < 120)
        snprintf(out, 32, s < 10 ? "%.1f s" : "%.0f s", s);
    else if (s < 7200)
        snprintf(out, 32, "%.0f min", s / 60);
    else
        snprintf(out, 32, "%.1f h", s / 3600);
    return out;
}

/* --- who could run it ------------------------------------------------------------------------- */

static bool has(const json_t *list, const char *name)
{
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v)
    {
        const char *s = json_string_value(v);
        if (s && strcmp(s, name) == 0)
            return true;
    }
    return false;
}

/* The live nodes with workers that serve the queue, by what keeps them from the job. */
struct service {
    int alive, serving, knowing, quiet, stuck;
    size_t slots, taken; /* of those that know the task */
    const char *trouble;
    const char *stuck_node;
};

static void add_slots(struct service *s, const json_t *node)
{
    json_t *worker, *workers = json_object_get(node, "workers");
    size_t i, each = (size_t)json_integer_value(json_object_get(node, "concurrency"));
    json_array_foreach(workers, i, worker)
    {
        s->slots += each;
        s->taken += (size_t)json_integer_value(json_object_get(worker, "running")) +
                    (size_t)json_integer_value(json_object_get(worker, "reserved"));
    }
}

static struct service find_service(const struct why *w, const char *queue, const char *task)
{
    struct service s = {0};
    size_t i;
    json_t *node;
    json_array_foreach(w->nodes, i, node)
    {
        bool works = json_is_true(json_object_get(node, "alive")) &&
                     json_array_size(json_object_get(node, "workers")) > 0;
        s.alive += works;
        if (!works || !has(json_object_get(node, "queues"), queue))
            continue;
        s.serving++;
        if (json_is_true(json_object_get(node, "quiet")))
            s.quiet++;
        if (strcmp(string_of(node, "health"), "stuck") == 0) {
            s.stuck++;
            s.stuck_node = string_of(node, "node");
            s.trouble = string_of(node, "trouble");
        }
        if (has(json_object_get(node, "tasks"), task)) {
            s.knowing++;
            add_slots(&s, node);
        }
    }
    return s;
}

/* What would keep it from being run once it is its turn. */
static struct service add_service(json_t *list, const struct why *w)
{
    const char *queue = string_of(w->job, "queue"), *task = string_of(w->job, "task");
    struct service s = find_service(w, queue, task);
    if (w->paused)
        add(list, "paused", "the queue \"%s\" is paused (moil resume %s)", queue, queue);
    if (strcmp(task, "moil.group") == 0)
        return s;
    if (s.alive == 0)
        add(list, "no_worker", "no worker is running (start one: moil worker)");
    else if (s.serving == 0)
        add(list, "no_worker", "no worker serves the queue \"%s\" (start one: moil worker -q %s)",
            queue, queue);
    else if (s.knowing == 0)
        add(list, "no_task",
            "no node that serves the queue \"%s\" has the task \"%s\": who fetches it tries again "
            "for 60 s, then it is dead",
            queue, task);
    if (s.serving > 0 && s.quiet == s.serving)
        add(list, "quiet", "all nodes that serve the queue \"%s\" are quiet: they take nothing new",
            queue);
    if (s.serving > 0 && s.stuck == s.serving)
        add(list, "stuck", "no node that serves the queue gets anything done: %s: %s", s.stuck_node,
            s.trouble);
    return s;
}

/* --- by place --------------------------------------------------------------------------------- */

static void add_before(json_t *list, const struct why *w)
{
    char eta[32], rate[100] = "";
    double seconds = w->rate > 0 ? (double)w->before / w->rate : -1;
    if (seconds >= 0)
        snprintf(rate, sizeof rate, "; at %.*f a second that takes about %s", w->rate < 10 ? 1 : 0,
                 w->rate, span(seconds, eta));
    else if (w->rate >= 0)
        snprintf(rate, sizeof rate, "; none of the queue's jobs has ended in the last second");
    json_t *reason = add(list, "behind", "%s%lld job%s before it in the queue \"%s\"%s",
                         w->exact ? "" : "more than ", (long long)w->before,
                         w->before == 1 ? " is" : "s are", string_of(w->job, "queue"), rate);
    json_object_set_new(reason, "before", json_integer(w->before));
    json_object_set_new(reason, "exact", json_boolean(w->exact));
    if (w->rate >= 0)
        json_object_set_new(reason, "rate", json_real(w->rate));
    if (seconds >= 0)
        json_object_set_new(reason, "eta", json_real(seconds));
}

static void add_pending(json_t *list, const struct why *w)
{
    struct service s = add_service(list, w);
    bool obstructed = json_array_size(list) > 0;
    if (w->before > 0)
        add_before(list, w);
    if (!obstructed && s.slots > 0 && s.taken >= s.slots)
        add(list, "busy", "all %zu slots of the workers that serve its queue are taken", s.slots);
    if (json_array_size(list) == 0)
        add(list, "next", "nothing is in its way: it is the next one of its queue");
}

static double real_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static void add_delayed(json_t *list, const struct why *w)
{
    char when[32];
    double left = real_of(w->job, "due_at") - w->now;
    long long retries = json_integer_value(json_object_get(w->job, "retries"));
    const json_t *retry = json_object_get(json_object_get(w->job, "options"), "retry");
    long long max = json_integer_value(json_object_get(retry, "max"));
    char what[64] = "it is due", of[32] = "";
    if (max > 0)
        snprintf(of, sizeof of, " of %lld", max);
    if (retries > 0)
        snprintf(what, sizeof what, "retry %lld%s is due", retries, of);
    json_t *reason =
        left > 0 ? add(list, retries > 0 ? "retry" : "not_due", "%s in %s", what, span(left, when))
                 : add(list, "overdue", "%s since %s: an agent or a worker will move it", what,
                       span(-left, when));
    json_object_set(reason, "due_at", json_object_get(w->job, "due_at"));
    add_service(list, w);
}

/* The jobs of a list, the first few by name. */
static void add_jobs(json_t *list, const char *code, const char *what, const json_t *jobs)
{
    size_t i, count = json_array_size(jobs);
    json_t *job;
    json_array_foreach(jobs, i, job)
    {
        if (i == NAMED_MAX)
            break;
        json_t *reason = add(list, code, "%s %s (%s), which is %s", what, string_of(job, "id"),
                             string_of(job, "task"), string_of(job, "state"));
        json_object_set(reason, "job", job);
    }
    if (count > NAMED_MAX)
        add(list, code, "%s %zu more", what, count - NAMED_MAX);
}

static void add_deferred(json_t *list, const struct why *w)
{
    long long open = json_integer_value(json_object_get(w->job, "waits_for"));
    long long found = (long long)json_array_size(w->others);
    bool is_group = strcmp(string_of(w->job, "task"), "moil.group") == 0;
    if (!is_group) {
        add_jobs(list, "waits_for", "it waits for", w->others);
        if (found < open)
            add(list, "waits_for", "it waits for %s%lld %s: not found among the links looked at",
                found > 0 ? "another " : "", open - found, open - found == 1 ? "end" : "ends");
    } else {
        add(list, "group", "it is a group, and ends with its members: %lld of them %s not", open,
            open == 1 ? "has" : "have");
    }
    add_jobs(list, "member", "a member of the group has not ended:", w->members);
}

/* The node that its worker belongs to; NULL: it is not known any more. */
static const json_t *find_node(const struct why *w)
{
    size_t i;
    json_t *node;
    json_array_foreach(w->nodes, i, node)
    {
        if (strcmp(string_of(node, "node_id"), w->node) == 0)
            return node;
    }
    return NULL;
}

/* How its worker does, where that is not well. */
static void add_worker(json_t *list, const struct why *w)
{
    const json_t *node = find_node(w), *workers = json_object_get(node, "workers");
    size_t i;
    json_t *worker;
    if (!w->holder_lives || !node) {
        add(list, "worker_lost",
            "its worker is dead: the job goes back to its queue as soon as an agent has seen to "
            "it");
        return;
    }
    if (!json_is_true(json_object_get(node, "alive")))
        add(list, "node_silent",
            "its node %s has been silent for %.0f s: without a sign of life the job goes back to "
            "its queue after the lease (%.0f s)",
            string_of(node, "node"), real_of(node, "age"), real_of(node, "lease"));
    json_array_foreach(workers, i, worker)
    {
        const char *health = string_of(worker, "health");
        bool is_it = strcmp(string_of(worker, "incarnation"), string_of(w->job, "worker")) == 0;
        if (is_it && (strcmp(health, "stuck") == 0 || strcmp(health, "degraded") == 0))
            add(list, health, "its worker is %s: %s", health, string_of(worker, "trouble"));
    }
}

static void add_held(json_t *list, const struct why *w)
{
    char since[32];
    double started = real_of(w->job, "started_at");
    const char *worker = string_of(w->job, "worker");
    const json_t *node = find_node(w);
    const char *name = node ? string_of(node, "node") : "?";
    if (started > 0) {
        json_t *reason = add(list, "running", "it runs since %s on %s (worker %s)",
                             span(w->now - started, since), name, worker);
        json_object_set(reason, "started_at", json_object_get(w->job, "started_at"));
    } else {
        add(list, "reserved",
            "a worker has it, and starts it or did so a moment ago: %s (worker %s)", name, worker);
    }
    add_worker(list, w);
    size_t i;
    json_t *other;
    json_array_foreach(w->others, i, other)
    {
        if (started > 0 || i == NAMED_MAX)
            break;
        json_t *reason = add(list, "beside", "that worker runs %s (%s)", string_of(other, "id"),
                             string_of(other, "task"));
        json_object_set(reason, "job", other);
    }
}

static void add_ended(json_t *list, const struct why *w, bool dead)
{
    char since[32], how[700] = "";
    const json_t *error = json_object_get(w->job, "error");
    const char *id = string_of(w->job, "id");
    double finished = real_of(w->job, "finished_at");
    if (json_is_object(error))
        snprintf(how, sizeof how, ": %.100s: %.500s", string_of(error, "code"),
                 string_of(error, "message"));
    json_t *reason = add(list, dead ? "dead" : "ended", "it ended as %s %s ago%s%s%s%s",
                         string_of(w->job, "state"), span(w->now - finished, since), how,
                         dead ? " (moil dead retry " : "", dead ? id : "", dead ? ")" : "");
    json_object_set(reason, "finished_at", json_object_get(w->job, "finished_at"));
}

json_t *moil_why_reasons(const struct why *w)
{
    const char *place = string_of(w->job, "place");
    json_t *list = json_array();
    if (json_is_true(json_object_get(w->job, "damaged")))
        add(list, "damaged", "its record is damaged or not moil's: who fetches it buries it");
    else if (strcmp(place, "pending") == 0)
        add_pending(list, w);
    else if (strcmp(place, "delayed") == 0)
        add_delayed(list, w);
    else if (strcmp(place, "deferred") == 0)
        add_deferred(list, w);
    else if (strcmp(place, "inflight") == 0)
        add_held(list, w);
    else
        add_ended(list, w, strcmp(place, "dead") == 0);
    return list;
}
