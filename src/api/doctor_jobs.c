/* doctor_jobs.c: nodes, queues, dead jobs, the books. See doctor.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/doctor.h"

enum { BOOKS_MAX = 200000, NAMES_LEN = 300, RECENT_MAX = 250 };

static const char *string_of(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : "";
}

static double number_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* "a, b, …", as much as there is room for. */
static void add_name(char names[NAMES_LEN], const char *name)
{
    size_t len = strlen(names);
    if (len + strlen(name) + 6 < NAMES_LEN)
        snprintf(names + len, NAMES_LEN - len, "%s%s", len ? ", " : "", name);
    else if (len + 6 < NAMES_LEN && !strstr(names, "…"))
        snprintf(names + len, NAMES_LEN - len, ", …");
}

/* Whether it is one of them: mail is not among "mail.send". */
static bool has_name(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = names; at; at = strstr(at, ", ")) {
        at += at > names ? 2 : 0;
        if (strncmp(at, name, n) == 0 && (at[n] == '\0' || strncmp(at + n, ", ", 2) == 0))
            return true;
    }
    return false;
}

static json_t *view(struct doctor *d, const char *check, moil_view what, size_t limit)
{
    char *text = NULL;
    if (moil_inspect(d->client, what, 0, limit, &text) != 0) {
        moil_doctor_say(d, check, DOCTOR_BAD, NULL, "%s", moil_client_error(d->client));
        return NULL;
    }
    json_t *rows = json_loads(text, JSON_ALLOW_NUL, NULL);
    moil_free(text);
    return rows;
}

static bool is_alive(const json_t *node)
{
    return json_is_true(json_object_get(node, "alive"));
}

/* --- nodes ------------------------------------------------------------------------------------ */

static void count_nodes(struct doctor *d)
{
    char gone[NAMES_LEN] = "", versions[NAMES_LEN] = "";
    size_t i, alive = 0, workers = 0;
    json_t *node;
    json_array_foreach(d->nodes, i, node)
    {
        const char *version = string_of(node, "version");
        if (!is_alive(node)) {
            add_name(gone, string_of(node, "node"));
            continue;
        }
        alive++;
        workers += json_array_size(json_object_get(node, "workers"));
        if (version[0] && !has_name(versions, version))
            add_name(versions, version);
    }
    moil_doctor_say(d, "nodes", workers > 0 ? DOCTOR_OK : DOCTOR_WARN, "start one: moil worker",
                    "%zu alive, with %zu worker processes", alive, workers);
    if (gone[0])
        moil_doctor_say(d, "nodes", DOCTOR_WARN,
                        "start them again; an agent that is alive gives their jobs back",
                        "silent: %s", gone);
    if (strchr(versions, ','))
        moil_doctor_say(d, "versions", DOCTOR_WARN, "bring all nodes to one version",
                        "nodes of different versions: %s", versions);
}

/* How each of them does, by its own word. */
static void check_node(struct doctor *d, const json_t *node, double now)
{
    const char *name = string_of(node, "node"), *health = string_of(node, "health");
    double files = number_of(node, "files"), slots = number_of(node, "concurrency");
    double by = number_of(node, "clock") - (now - number_of(node, "age"));
    if (strcmp(health, "stuck") == 0 || strcmp(health, "degraded") == 0)
        moil_doctor_say(d, "health", health[0] == 's' ? DOCTOR_BAD : DOCTOR_WARN,
                        "look at its log; where it stays, restart it", "%s is %s: %s", name, health,
                        string_of(node, "trouble"));
    if (number_of(node, "clock") > 0 && fabs(by) > 1)
        moil_doctor_say(d, "clock", fabs(by) > 60 ? DOCTOR_BAD : DOCTOR_WARN,
                        "run ntpd, chrony or systemd-timesyncd there",
                        "the clock of %s differs from Redis's by %.1f s", name, by);
    if (files > 0 && files < 64 + 4 * slots)
        moil_doctor_say(d, "files", DOCTOR_WARN, "raise its file limit (ulimit -n, LimitNOFILE=)",
                        "%s may open %.0f files a process, for %.0f jobs at a time", name, files,
                        slots);
}

/* --- queues ----------------------------------------------------------------------------------- */

static void check_queues(struct doctor *d, double now)
{
    char unserved[NAMES_LEN] = "", paused[NAMES_LEN] = "";
    double oldest = 0;
    size_t i, pending = 0;
    json_t *rows = view(d, "queues", MOIL_VIEW_QUEUES, 0), *row;
    json_array_foreach(rows, i, row)
    {
        const char *queue = string_of(row, "queue");
        bool waits = number_of(row, "pending") > 0;
        if (!queue[0]) {
            pending = (size_t)number_of(row, "pending");
        } else if (json_is_true(json_object_get(row, "paused"))) {
            add_name(paused, queue);
        } else if (waits && number_of(row, "workers") == 0) {
            add_name(unserved, queue);
        } else if (waits && now - number_of(row, "oldest_at") > oldest) {
            oldest = now - number_of(row, "oldest_at");
        }
    }
    if (rows)
        moil_doctor_say(d, "queues", DOCTOR_OK, NULL,
                        "%zu jobs pending; of those that are served the oldest waits %.0f s",
                        pending, oldest);
    if (unserved[0])
        moil_doctor_say(d, "queues", DOCTOR_BAD, "start a worker for them: moil worker -q NAME",
                        "jobs wait where no worker serves: %s", unserved);
    if (paused[0])
        moil_doctor_say(d, "queues", DOCTOR_WARN, "moil resume QUEUE, unless that is meant",
                        "paused: %s", paused);
    json_decref(rows);
}

/* --- the dead --------------------------------------------------------------------------------- */

static void check_dead(struct doctor *d, double now)
{
    json_t *rows = view(d, "dead", MOIL_VIEW_DEAD, RECENT_MAX), *row;
    char tasks[NAMES_LEN] = "";
    size_t i, recent = 0;
    json_array_foreach(rows, i, row)
    {
        const char *task = string_of(row, "task");
        if (now - number_of(row, "finished_at") > 3600)
            break;
        recent++;
        if (!has_name(tasks, task))
            add_name(tasks, task);
    }
    if (rows && recent == 0)
        moil_doctor_say(d, "dead", DOCTOR_OK, NULL, "no job died in the last hour");
    else if (rows)
        moil_doctor_say(d, "dead", DOCTOR_WARN,
                        "moil dead list says why; moil dead retry runs them",
                        "%zu%s job%s died in the last hour: %s", recent,
                        recent == RECENT_MAX ? " or more" : "", recent == 1 ? "" : "s", tasks);
    json_decref(rows);
}

/* --- the books -------------------------------------------------------------------------------- */

static void take_length(void *data, const struct reply *reply)
{
    *(int64_t *)data = moil_reply_integer(reply);
}

static void check_books(struct doctor *d)
{
    char key[200], *text = NULL;
    struct slice prefix = moil_keys_prefix(&d->client->broker.keys);
    int64_t records = 0;
    snprintf(key, sizeof key, "%.*sjobs", (int)prefix.n, prefix.p);
    moil_doctor_command(d, (const char *const[]){"HLEN", key, NULL}, take_length, &records);
    if (records > BOOKS_MAX) {
        moil_doctor_say(d, "books", DOCTOR_OK, NULL,
                        "not checked, as there are %lld records (moil inspect audit does)",
                        (long long)records);
        return;
    }
    int differences = moil_audit(d->client, &text);
    if (differences < 0)
        moil_doctor_say(d, "books", DOCTOR_BAD, NULL, "%s", moil_client_error(d->client));
    else
        moil_doctor_say(d, "books", differences > 0 ? DOCTOR_BAD : DOCTOR_OK,
                        "moil inspect audit names them", "%lld records, %d differences",
                        (long long)records, differences);
    moil_free(text);
}

void moil_doctor_jobs(struct doctor *d)
{
    double now = 0;
    size_t i;
    json_t *node;
    if (moil_now(d->client, &now) != 0)
        return;
    d->nodes = view(d, "nodes", MOIL_VIEW_NODES, 0);
    if (d->nodes)
        count_nodes(d);
    json_array_foreach(d->nodes, i, node)
    {
        if (is_alive(node))
            check_node(d, node, now);
    }
    check_queues(d, now);
    check_dead(d, now);
    check_books(d);
}
