/* beat.c: beat entries of run time. A part of the client (client.h). */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/client.h"
#include "base/error.h"
#include "base/json_dump.h"
#include "base/mem.h"
#include "worker/beat_request.h"

struct beat_call {
    struct beat_request request;
    struct buffer *out;
};

static void fill(struct args *a, void *data)
{
    moil_beat_request_args(&((struct beat_call *)data)->request, a);
}

static int take(void *data, const struct reply *reply)
{
    struct beat_call *call = data;
    return moil_beat_request_answer(&call->request, reply, call->out);
}

int moil_client_beat(struct moil_client *c, const struct vm_beat *ask, struct buffer *out)
{
    struct beat_call call = {.out = out};
    char why[sizeof c->errstr] = "out of memory";
    moil_client_begin(c, c->deadline_s);
    int err = moil_beat_request_init(&call.request, ask, why, sizeof why);
    if (!err && ask->verb == VM_BEAT_NEXT)
        err = moil_beat_request_next(&call.request, out, why, sizeof why);
    if (err)
        moil_client_fail(c, err, "%s", why);
    else if (ask->verb != VM_BEAT_NEXT)
        err = moil_client_call(c, moil_beat_request_script(&call.request), fill, take, &call);
    if (err == MOIL_EBADMSG)
        moil_client_fail(c, err, "an answer about beat entries that makes no sense");
    moil_beat_request_fini(&call.request);
    return err;
}

/* The same, as JSON; NULL with the status set. The caller drops the reference. */
static json_t *ask_json(struct moil_client *c, const struct vm_beat *ask, int *status)
{
    struct buffer text;
    moil_buffer_init(&text);
    *status = moil_client_beat(c, ask, &text);
    json_t *answer =
        *status ? NULL : json_loadb(text.data, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!*status && !answer)
        *status = moil_client_fail(c, MOIL_STATUS_NOMEM, "out of memory");
    moil_buffer_fini(&text);
    return answer;
}

/* NULL is a name that is wrong, too; the rest is the request's to check. */
static int check_name(struct moil_client *c, const char *name)
{
    if (name && moil_name_is_valid(slice_str(name)))
        return 0;
    return moil_client_fail(
        c, MOIL_STATUS_INVALID,
        "a beat entry's name is 1 to 200 printable ASCII characters without space");
}

static int no_entry(struct moil_client *c, const char *name)
{
    return moil_client_fail(c, MOIL_STATUS_UNKNOWN,
                            "no beat entry \"%s\": none of run time is called so, and no scheduler "
                            "has seen one of a file",
                            name);
}

/* --- put, change ------------------------------------------------------------------------------ */

static const char *const outcomes[] = {"same", "added", "changed", "clash"};

enum { CLASH = 3 };

/* The index of the outcome, or a status. */
static int put(struct moil_client *c, const char *name, const char *text, const char *expect,
               bool from_start)
{
    int status;
    struct vm_beat ask = {.verb = VM_BEAT_PUT,
                          .name = slice_str(name ? name : ""),
                          .text = slice_str(text ? text : ""),
                          .expect = slice_str(expect),
                          .flag = from_start};
    json_t *answer = ask_json(c, &ask, &status);
    const char *outcome = json_string_value(json_object_get(answer, "outcome"));
    const char *when = json_string_value(json_object_get(answer, "when"));
    if (outcome && strcmp(outcome, "past") == 0)
        status = moil_client_fail(c, MOIL_STATUS_INVALID,
                                  "beat entry \"%s\": it is never due from now on: %s", name,
                                  when ? when : "");
    else if (!status)
        status = moil_client_fail(c, MOIL_STATUS_TOO_LARGE,
                                  "there are 100,000 beat entries already: no more are taken");
    for (int i = 0; i <= CLASH; i++)
        if (outcome && strcmp(outcome, outcomes[i]) == 0)
            status = i;
    if (status >= 0)
        c->errstr[0] = '\0';
    json_decref(answer);
    return status;
}

int moil_beat_put(moil_client *c, const char *name, const char *json)
{
    return put(c, name, json, "*", false);
}

int moil_beat_begin(moil_client *c, const char *name, const char *json)
{
    return put(c, name, json, "*", true);
}

/* The entry of that name as it is listed; NULL with the status set. */
static json_t *find(struct moil_client *c, const char *name, int *status)
{
    struct vm_beat ask = {.verb = VM_BEAT_LIST, .name = slice_str(name)};
    json_t *answer = ask_json(c, &ask, status);
    json_t *entry = json_incref(json_array_get(json_object_get(answer, "entries"), 0));
    json_decref(answer);
    if (!*status && !json_object_get(entry, "entry")) {
        *status =
            entry ? moil_client_fail(c, MOIL_STATUS_STATE,
                                     "beat entry \"%s\" is one of a file: change it there", name)
                  : no_entry(c, name);
        json_decref(entry);
        entry = NULL;
    }
    return entry;
}

/* Of two ways to say when, the new one counts. */
static void merge(json_t *entry, json_t *fields)
{
    static const char *const timings[] = {"every", "cron", "solar", "at"};
    const char *key;
    json_t *value;
    for (size_t i = 0; i < 4; i++)
        if (json_object_get(fields, timings[i]))
            for (size_t k = 0; k < 4; k++)
                json_object_del(entry, timings[k]);
    json_object_foreach(fields, key, value)
    {
        if (json_is_null(value))
            json_object_del(entry, key);
        else
            json_object_set(entry, key, value);
    }
}

/* One attempt; CLASH when somebody else was faster. */
static int change(struct moil_client *c, const char *name, json_t *fields)
{
    int status;
    char version[24];
    json_t *listed = find(c, name, &status), *entry = json_object_get(listed, "entry");
    if (!listed)
        return status;
    snprintf(version, sizeof version, "%lld",
             (long long)json_integer_value(json_object_get(listed, "version")));
    merge(entry, fields);
    char *text = moil_json_dump(entry, JSON_COMPACT);
    status = text ? put(c, name, text, version, false)
                  : moil_client_fail(c, MOIL_STATUS_NOMEM, "out of memory");
    moil_mem_free(text);
    json_decref(listed);
    return status;
}

int moil_beat_change(moil_client *c, const char *name, const char *json)
{
    int wrong = check_name(c, name), status = wrong ? wrong : CLASH;
    json_t *fields = json ? json_loads(json, JSON_ALLOW_NUL, NULL) : NULL;
    if (!wrong && !json_is_object(fields))
        status = moil_client_fail(c, MOIL_STATUS_INVALID,
                                  "what changes in a beat entry is given as a JSON object");
    for (int i = 0; i < 100 && status == CLASH; i++)
        status = change(c, name, fields);
    if (status == CLASH)
        status =
            moil_client_fail(c, MOIL_STATUS_UNAVAILABLE,
                             "beat entry \"%s\" is being changed by others all the time", name);
    json_decref(fields);
    return status > 0 ? 1 : status;
}

/* --- remove, pause ---------------------------------------------------------------------------- */

static int steer(struct moil_client *c, enum vm_beat_verb verb, const char *name, bool flag)
{
    int status;
    struct vm_beat ask = {.verb = verb, .name = slice_str(name ? name : ""), .flag = flag};
    json_t *answer = ask_json(c, &ask, &status);
    int found = (int)json_integer_value(answer);
    json_decref(answer);
    if (status)
        return status;
    return found ? found : no_entry(c, name);
}

int moil_beat_remove(moil_client *c, const char *name)
{
    return steer(c, VM_BEAT_REMOVE, name, false);
}

int moil_beat_pause(moil_client *c, const char *name, int paused)
{
    int status = steer(c, VM_BEAT_PAUSE, name, paused != 0);
    return status == 2 ? 0 : status;
}

/* --- looking ---------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The values of an object as a JSON array, in the order of their keys. */
static int give_sorted(struct moil_client *c, json_t *all, char **json)
{
    size_t n = 0;
    const char *key, **keys = moil_mem_zalloc(json_object_size(all) + 1, sizeof *keys);
    json_t *value, *sorted = json_array();
    if (keys) {
        json_object_foreach(all, key, value) keys[n++] = key;
        qsort(keys, n, sizeof *keys, by_name);
    }
    for (size_t i = 0; i < n; i++)
        json_array_append(sorted, json_object_get(all, keys[i]));
    char *text = keys ? moil_json_dump(sorted, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    moil_mem_free(keys);
    json_decref(sorted);
    if (!text)
        return moil_client_fail(c, MOIL_STATUS_NOMEM, "out of memory");
    *json = text;
    return 0;
}

int moil_beat_list(moil_client *c, char **json)
{
    int status;
    char cursor[24] = "0";
    json_t *all = json_object(), *entry;
    do {
        size_t i;
        struct vm_beat ask = {.verb = VM_BEAT_LIST, .text = slice_str(cursor)};
        json_t *page = ask_json(c, &ask, &status);
        const char *next = json_string_value(json_object_get(page, "cursor"));
        json_array_foreach(json_object_get(page, "entries"), i, entry)
        {
            json_object_set(all, json_string_value(json_object_get(entry, "name")), entry);
        }
        snprintf(cursor, sizeof cursor, "%s", next ? next : "0");
        json_decref(page);
    } while (!status && strcmp(cursor, "0") != 0);
    if (!status)
        status = give_sorted(c, all, json);
    json_decref(all);
    return status;
}

int moil_now(moil_client *c, double *seconds)
{
    int status;
    struct vm_beat ask = {.verb = VM_BEAT_LIST, .name = slice_str("-")};
    json_t *answer = ask_json(c, &ask, &status);
    if (!status)
        *seconds = json_number_value(json_object_get(answer, "now"));
    json_decref(answer);
    return status;
}

/* Whether there is an entry of that name, of run time or of a file: 0, or a status. */
static int check_known(struct moil_client *c, const char *name)
{
    int status;
    struct vm_beat ask = {.verb = VM_BEAT_LIST, .name = slice_str(name)};
    json_t *answer = ask_json(c, &ask, &status);
    if (!status && json_array_size(json_object_get(answer, "entries")) == 0)
        status = no_entry(c, name);
    json_decref(answer);
    return status;
}

int moil_beat_history(moil_client *c, const char *name, size_t limit, char **json)
{
    struct buffer text;
    int wrong = name ? check_name(c, name) : 0;
    if (wrong)
        return wrong;
    struct vm_beat ask = {.verb = VM_BEAT_HISTORY,
                          .name = slice_str(name ? name : ""),
                          .limit = limit < 1000 ? (int64_t)limit : 1000};
    moil_buffer_init(&text);
    int status = moil_client_beat(c, &ask, &text);
    if (!status && name && slice_is(moil_buffer_slice(&text), "[]"))
        status = check_known(c, name);
    if (!status && !(*json = moil_buffer_take(&text, NULL)))
        status = moil_client_fail(c, MOIL_STATUS_NOMEM, "out of memory");
    moil_buffer_fini(&text);
    return status;
}
