/* control.c: commands for nodes, and what they answer. A part of the client (client.h).
 *
 * control.lua says which nodes are meant; their answers come to a list of the request's own, which
 * is looked at until all are there or the time is over. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/client.h"
#include "base/clock.h"
#include "base/json_dump.h"
#include "base/mem.h"

enum {
    ARGS_MAX = 64 * 1024,
    NAME_MAX = 64,
    ANSWERS_A_LOOK = 250, /* as control_hear.lua gives them */
};
static const double LOOK_FIRST_S = 0.002, LOOK_MAX_S = 0.05, TIMEOUT_MAX_S = 3600;

/* One command under way. */
struct asking {
    char request[MOIL_ID_LEN + 1];
    const char *nodes, *command, *args;
    int hold_ms;
    char wrong[160];  /* what a script has found so; "": nothing */
    json_t *expected; /* node id -> the workers it told of, [] at first; true: it has answered */
    json_t *answers;  /* array */
    size_t known;     /* of the list in Redis */
};

/* --- what comes ------------------------------------------------------------------------------- */

static int take_nodes(void *data, const struct reply *reply)
{
    struct asking *as = data;
    struct slice wrong = moil_reply_slice(reply);
    if (wrong.p) {
        snprintf(as->wrong, sizeof as->wrong, "%.*s", (int)wrong.n, wrong.p);
        return MOIL_STATUS_INVALID;
    }
    json_object_clear(as->expected);
    for (size_t i = 0; i < moil_reply_count(reply); i++) {
        struct slice id = moil_reply_slice(moil_reply_at(reply, i));
        char key[2 * MOIL_NAME_MAX];
        snprintf(key, sizeof key, "%.*s", (int)id.n, id.p);
        json_object_set_new(as->expected, key, json_null());
    }
    return 0;
}

static bool is_of(const json_t *answer, const char *id, const json_t *worker)
{
    const char *from = json_string_value(json_object_get(answer, "node_id"));
    return from && strcmp(from, id) == 0 && json_equal(json_object_get(answer, "worker"), worker);
}

static bool has_answered(const struct asking *as, const char *id, const json_t *worker)
{
    size_t i;
    const json_t *answer;
    json_array_foreach(as->answers, i, answer)
    {
        if (is_of(answer, id, worker))
            return true;
    }
    return false;
}

/* Takes the reference. */
static void take_answer(struct asking *as, json_t *answer)
{
    const char *id = json_string_value(json_object_get(answer, "node_id"));
    json_t *workers = json_object_get(answer, "workers"), *worker;
    worker = json_object_get(answer, "worker");
    if (id && workers)
        json_object_set(as->expected, id, workers);
    else if (id && json_object_get(as->expected, id) && !has_answered(as, id, worker)) {
        json_array_append(as->answers, answer);
        if (!worker)
            json_object_set_new(as->expected, id, json_true());
    }
    json_decref(answer);
}

static int take_answers(void *data, const struct reply *reply)
{
    struct asking *as = data;
    size_t count = moil_reply_count(reply);
    for (size_t i = 0; i < count; i++) {
        struct slice text = moil_reply_slice(moil_reply_at(reply, i));
        take_answer(as, json_loadb(text.p, text.n, JSON_ALLOW_NUL, NULL));
    }
    as->known += count;
    return 0;
}

/* --- what is open ----------------------------------------------------------------------------- */

static void add_silent(struct asking *as, const char *id, const json_t *worker)
{
    const char *slash = strrchr(id, '/');
    json_t *answer =
        json_pack("{s:s#, s:s, s:b, s:b}", "node", id, slash ? (int)(slash - id) : (int)strlen(id),
                  "node_id", id, "ok", 0, "silent", 1);
    if (worker)
        json_object_set(answer, "worker", (json_t *)(uintptr_t)worker);
    json_array_append_new(as->answers, answer);
}

/* How many are; with `tell`, each is put among the answers as silent. */
static size_t open_count(struct asking *as, bool tell)
{
    const char *id;
    json_t *state, *worker;
    size_t open = 0, i;
    json_object_foreach(as->expected, id, state)
    {
        if (json_is_true(state))
            continue;
        if (json_is_null(state)) {
            open++;
            if (tell)
                add_silent(as, id, NULL);
        }
        json_array_foreach(state, i, worker)
        {
            if (has_answered(as, id, worker))
                continue;
            open++;
            if (tell)
                add_silent(as, id, worker);
        }
    }
    return open;
}

static bool is_refused(const struct asking *as)
{
    size_t i;
    const json_t *answer;
    json_array_foreach(as->answers, i, answer)
    {
        if (!json_is_true(json_object_get(answer, "ok")))
            return true;
    }
    return false;
}

static int by_place(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int order = strcmp(json_string_value(json_object_get(x, "node_id")),
                       json_string_value(json_object_get(y, "node_id")));
    json_int_t i = json_integer_value(json_object_get(x, "worker"));
    json_int_t k = json_integer_value(json_object_get(y, "worker"));
    return order ? order : (i > k) - (i < k);
}

/* By node and worker: they come as they come. */
static void sort(struct asking *as)
{
    size_t count = json_array_size(as->answers);
    json_t **all = moil_mem_alloc((count ? count : 1) * sizeof(json_t *));
    for (size_t i = 0; all && i < count; i++)
        all[i] = json_incref(json_array_get(as->answers, i));
    if (all) {
        qsort(all, count, sizeof(json_t *), by_place);
        json_array_clear(as->answers);
        for (size_t i = 0; i < count; i++)
            json_array_append_new(as->answers, all[i]);
    }
    moil_mem_free(all);
}

/* --- asking ----------------------------------------------------------------------------------- */

static void fill_control(struct args *a, void *data)
{
    const struct asking *as = data;
    moil_args_str(a, as->request);
    moil_args_str(a, as->nodes);
    moil_args_int(a, as->hold_ms);
    moil_args_str(a, as->command);
    moil_args_str(a, as->args);
}

static void fill_hear(struct args *a, void *data)
{
    const struct asking *as = data;
    moil_args_str(a, as->request);
    moil_args_int(a, (int64_t)as->known);
}

/* Looks until all have answered or the time is over. */
static int hear(struct moil_client *c, struct asking *as)
{
    int64_t end_us = moil_clock_monotonic_us() + as->hold_ms * INT64_C(1000);
    double pause_s = LOOK_FIRST_S;
    while (open_count(as, false) > 0) {
        size_t before = as->known;
        moil_client_begin(c, c->deadline_s);
        int status = moil_client_call(c, SCRIPT_CONTROL_HEAR, fill_hear, take_answers, as);
        if (status)
            return status;
        if (as->known - before == ANSWERS_A_LOOK || open_count(as, false) == 0)
            continue;
        double left_s = (double)(end_us - moil_clock_monotonic_us()) / 1e6;
        if (left_s <= 0)
            break;
        ev_sleep(pause_s < left_s ? pause_s : left_s);
        pause_s = pause_s * 2 < LOOK_MAX_S ? pause_s * 2 : LOOK_MAX_S;
    }
    return 0;
}

/* Sends, and collects the answers. */
static int ask(struct moil_client *c, struct asking *as)
{
    moil_id_new(as->request);
    moil_client_begin(c, c->deadline_s);
    int status = moil_client_call(c, SCRIPT_CONTROL, fill_control, take_nodes, as);
    if (as->wrong[0])
        return moil_client_fail(c, status, "%s", as->wrong);
    if (status)
        return status;
    if (json_object_size(as->expected) == 0)
        return moil_client_fail(c, MOIL_STATUS_UNKNOWN, "no node that is alive is named %s",
                                as->nodes);
    status = hear(c, as);
    if (status)
        return status;
    size_t open = open_count(as, true);
    sort(as);
    if (open > 0)
        return moil_client_fail(c, MOIL_STATUS_TIMEOUT, "not all have answered within %g s",
                                as->hold_ms / 1000.0);
    return is_refused(as) ? 1 : 0;
}

/* --- time limits ------------------------------------------------------------------------------ */

struct limit {
    char task[MOIL_NAME_MAX + 1];
    char hard[32], soft[32]; /* as time_limit.lua has them */
    char wrong[160];
    int64_t version;
    json_t *list;
};

static bool read_limit(const json_t *options, const char *key, char *out, size_t size)
{
    const json_t *v = json_object_get(options, key);
    double s = json_number_value(v);
    if (!v)
        out[0] = '\0';
    else if (json_is_null(v))
        snprintf(out, size, "-");
    else if (json_is_false(v))
        snprintf(out, size, "none");
    else if (json_is_number(v) && s > 0 && s < 1e9)
        snprintf(out, size, "%.6g", s);
    else
        return false;
    return true;
}

static int read_limits(struct moil_client *c, const json_t *args, struct limit *l)
{
    const char *task = json_string_value(json_array_get(args, 0));
    const json_t *options = json_array_get(args, 1);
    size_t known = (json_object_get(options, "time_limit") != NULL) +
                   (json_object_get(options, "soft_time_limit") != NULL);
    if (!task || !moil_name_is_valid(slice_str(task)) || !json_is_object(options) ||
        json_array_size(args) != 2 || json_object_size(options) != known)
        return moil_client_fail(c, MOIL_STATUS_INVALID,
                                "time-limit takes a task, and an object with time_limit, "
                                "soft_time_limit or both");
    snprintf(l->task, sizeof l->task, "%s", task);
    if (!read_limit(options, "time_limit", l->hard, sizeof l->hard) ||
        !read_limit(options, "soft_time_limit", l->soft, sizeof l->soft))
        return moil_client_fail(c, MOIL_STATUS_INVALID,
                                "a time limit is a number of seconds above 0, false for none, or "
                                "null for the task's own");
    return 0;
}

static void fill_limit(struct args *a, void *data)
{
    const struct limit *l = data;
    moil_args_str(a, l->task);
    moil_args_str(a, l->hard);
    moil_args_str(a, l->soft);
}

static int take_version(void *data, const struct reply *reply)
{
    struct limit *l = data;
    struct slice wrong = moil_reply_slice(reply);
    l->version = moil_reply_integer(reply);
    snprintf(l->wrong, sizeof l->wrong, "%.*s", (int)wrong.n, wrong.p ? wrong.p : "");
    return wrong.p ? MOIL_STATUS_INVALID : 0;
}

static json_t *limit_value(const char *word)
{
    return strcmp(word, "-") == 0      ? NULL
           : strcmp(word, "none") == 0 ? json_false()
                                       : json_real(strtod(word, NULL));
}

static int take_limits(void *data, const struct reply *reply)
{
    struct limit *l = data;
    json_array_clear(l->list);
    for (size_t i = 1; i + 1 < moil_reply_count(reply); i += 2) {
        struct slice task = moil_reply_slice(moil_reply_at(reply, i));
        char hard[32], soft[32], text[80];
        struct slice limits = moil_reply_slice(moil_reply_at(reply, i + 1));
        snprintf(text, sizeof text, "%.*s", (int)limits.n, limits.p);
        if (sscanf(text, "%31s %31s", hard, soft) != 2)
            continue;
        json_t *row = json_pack("{s:s#, s:o*, s:o*}", "task", task.p, (int)task.n, "time_limit",
                                limit_value(hard), "soft_time_limit", limit_value(soft));
        json_array_append_new(l->list, row);
    }
    return 0;
}

static int set_limit(struct moil_client *c, struct asking *as, const json_t *args)
{
    struct limit l = {.list = NULL};
    char version[32];
    int status = read_limits(c, args, &l);
    if (!status && strcmp(as->nodes, "*") != 0)
        status = moil_client_fail(c, MOIL_STATUS_INVALID,
                                  "time limits hold for all nodes of the namespace: leave the "
                                  "node out");
    if (status)
        return status;
    moil_client_begin(c, c->deadline_s);
    status = moil_client_call(c, SCRIPT_TIME_LIMIT, fill_limit, take_version, &l);
    if (status == MOIL_STATUS_UNKNOWN)
        return moil_client_fail(c, status, "no node has a task %s", l.task);
    if (l.wrong[0])
        return moil_client_fail(c, status, "%s", l.wrong);
    if (status)
        return status;
    snprintf(version, sizeof version, "[%lld]", (long long)l.version);
    as->args = version;
    status = ask(c, as);
    as->args = "";
    return status == MOIL_STATUS_UNKNOWN ? 0 : status; /* nobody is there: those to come have it */
}

static int list_limits(struct moil_client *c, struct asking *as)
{
    struct limit l = {.list = as->answers};
    moil_client_begin(c, c->deadline_s);
    return moil_client_call(c, SCRIPT_TIME_LIMITS, NULL, take_limits, &l);
}

/* --- the public face -------------------------------------------------------------------------- */

static bool is_command(const char *name)
{
    size_t n = strlen(name);
    return n >= 1 && n <= NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == n;
}

/* Nobody ends all nodes by leaving something out. */
static bool ends(const char *command)
{
    return command && (strcmp(command, "stop") == 0 || strcmp(command, "kill") == 0);
}

static int check(struct moil_client *c, const char *nodes, const char *command, const char *args,
                 double timeout)
{
    if (!command || !is_command(command))
        return moil_client_fail(c, MOIL_STATUS_INVALID,
                                "a command is 1 to %d letters, digits, _, . and -", NAME_MAX);
    if (!moil_name_is_valid(slice_str(nodes)))
        return moil_client_fail(c, MOIL_STATUS_INVALID,
                                "a node is 1 to 200 printable characters without space");
    if (!(timeout >= 0 && timeout <= TIMEOUT_MAX_S))
        return moil_client_fail(c, MOIL_STATUS_INVALID, "the time to wait is at most %g s",
                                TIMEOUT_MAX_S);
    if (strlen(args) > ARGS_MAX)
        return moil_client_fail(c, MOIL_STATUS_TOO_LARGE,
                                "the arguments are more than the %d bytes allowed", ARGS_MAX);
    return 0;
}

/* A reload waits for its check, and for new workers. */
static double timeout_of(const char *command, double timeout)
{
    bool is_slow = strcmp(command, "reload") == 0 || strcmp(command, "time-limit") == 0;
    return timeout > 0 ? timeout : is_slow ? 30 : 2;
}

int moil_control(moil_client *c, const char *nodes, const char *command, const char *args,
                 double timeout, char **json)
{
    c->errstr[0] = '\0';
    if (ends(command) && !(nodes && *nodes))
        return moil_client_fail(c, MOIL_STATUS_INVALID,
                                "%s ends nodes: say which by a name, or all", command);
    nodes = nodes && *nodes && strcmp(nodes, "all") != 0 ? nodes : "*";
    args = args && *args ? args : "[]";
    int status = check(c, nodes, command, args, timeout);
    if (status)
        return status;
    json_t *list = json_loads(args, 0, NULL);
    struct asking as = {
        .nodes = nodes,
        .command = command,
        .args = args,
        .hold_ms = (int)ceil(timeout_of(command, timeout) * 1000),
        .expected = json_object(),
        .answers = json_array(),
    };
    if (!json_is_array(list))
        status = moil_client_fail(c, MOIL_STATUS_INVALID, "the arguments must be a JSON array");
    else if (strcmp(command, "time-limit") != 0)
        status = ask(c, &as);
    else if (json_array_size(list) == 0)
        status = list_limits(c, &as);
    else
        status = set_limit(c, &as, list);
    if (json && (status >= 0 || status == MOIL_STATUS_TIMEOUT)) {
        *json = moil_json_dump(as.answers, JSON_COMPACT);
        if (!*json)
            status = MOIL_STATUS_NOMEM;
    }
    json_decref(list);
    json_decref(as.expected);
    json_decref(as.answers);
    return status;
}
