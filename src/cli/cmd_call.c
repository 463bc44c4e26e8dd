/* `moil call TASK [ARG]...`: one job, the same one many times, or one for each line of stdin. */
#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/job.h"
#include "cli/arguments.h"
#include "cli/batch.h"
#include "cli/beat_entry.h"
#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/lines.h"
#include "cli/output.h"
#include "cli/waiting.h"
#include "conf/instant.h"
#include "conf/route.h"

enum { MESSAGE_BYTES = 512 };

struct call {
    const struct options *o;
    moil_client *client;
    moil_job job;     /* what all jobs of this command share */
    char *queue;      /* from the config file's routes; ours */
    char *options;    /* JSON object text; ours */
    char *depends_on; /* the list's text, cut at its commas; ours */
    const char **ids; /* in it; ours */
    struct batch batch;
};

/* --- what goes together ---------------------------------------------------------------------- */

static enum exit_status check_stdin(const struct options *o)
{
    if (o->operand_count > 1) {
        return moil_complain_usage(
            "--stdin reads the arguments: there can be none behind the task");
    }
    if (o->id || o->repeat > 1) {
        return moil_complain_usage("--stdin does not go with --id and --repeat");
    }
    return STATUS_DONE;
}

static enum exit_status check_interval(const struct options *o)
{
    const char *what = o->wait || o->follow ? "--wait and --follow"
                       : o->from_stdin      ? "--stdin"
                       : o->expires >= 0    ? "--expires"
                                            : NULL;
    if (o->repeat < 2) {
        return moil_complain_usage("--interval goes with --repeat N (for ever: moil beat add)");
    }
    return what ? moil_complain_usage("--interval does not go with %s: the jobs come one by one, "
                                      "as an entry of the schedule",
                                      what)
                : STATUS_DONE;
}

static enum exit_status check(const struct options *o)
{
    char why[MESSAGE_BYTES];
    enum exit_status status = moil_check_operands(o, 1, SIZE_MAX, "the task");
    if (status != STATUS_DONE) {
        return status;
    }
    if (!moil_name_is_valid(slice_str(o->operands[0]))) {
        return moil_complain_usage("\"%s\" is no name of a task (1 to 200 printable ASCII "
                                   "characters without space)",
                                   o->operands[0]);
    }
    if (o->countdown >= 0 && o->eta >= 0) {
        return moil_complain_usage("--countdown and --eta do not go together");
    }
    if (o->eta >= 0 && o->eta < MOIL_EPOCH_FROM) {
        return moil_complain_usage("--eta is long past: it is seconds since the epoch (for a delay "
                                   "there is --countdown)");
    }
    if (o->interval >= 0 && (status = check_interval(o)) != STATUS_DONE) {
        return status;
    }
    if (o->id && o->repeat > 1 && o->interval < 0) {
        return moil_complain_usage(
            "--id and --repeat do not go together: there is one job of an id");
    }
    if (o->timeout >= 0 && !o->wait && !o->follow) {
        return moil_complain_usage("--timeout goes with --wait or --follow");
    }
    if (o->kwargs && moil_arguments_check(o->kwargs, strlen(o->kwargs), '{', why, sizeof why) < 0) {
        return moil_complain_usage("--kwargs is %s", why);
    }
    return o->from_stdin ? check_stdin(o) : STATUS_DONE;
}

/* --- the job --------------------------------------------------------------------------------- */

/* {"expires": …, "result_ttl": …}; NULL when nothing was said. */
static char *rare_options(const struct options *o)
{
    json_t *object = json_object();
    if (o->expires >= 0) {
        double now = (double)moil_clock_wall_us() / 1e6;
        json_object_set_new(
            object, "expires",
            json_real(o->expires < MOIL_EPOCH_FROM ? now + o->expires : o->expires));
    }
    if (o->call_result_ttl >= 0) {
        json_object_set_new(object, "result_ttl", json_real(o->call_result_ttl));
    }
    char *text = json_object_size(object) > 0 ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    return text;
}

/* False: out of memory. */
static bool cut_ids(struct call *c)
{
    size_t count = 0;
    if (!c->o->depends_on) {
        return true;
    }
    c->depends_on = strdup(c->o->depends_on);
    c->ids = c->depends_on ? calloc(strlen(c->depends_on) + 2, sizeof *c->ids) : NULL;
    if (!c->ids) {
        return false;
    }
    for (char *id = c->depends_on, *next; id; id = next) {
        next = strchr(id, ',');
        if (next) {
            *next++ = '\0';
        }
        c->ids[count++] = id;
    }
    return true;
}

static void fill_job(struct call *c)
{
    const struct options *o = c->o;
    c->queue = o->queue ? NULL : moil_route_find(o->config_json, o->operands[0]);
    c->options = rare_options(o);
    c->job = (moil_job){
        .task = o->operands[0],
        .kwargs = o->kwargs,
        .queue = o->queue ? o->queue : c->queue,
        .id = o->id,
        .has_priority = o->priority >= 0,
        .priority = o->priority >= 0 ? (int)o->priority : 0,
        .at_front = o->at_front,
        .countdown = o->countdown > 0 ? o->countdown : 0,
        .eta = o->eta > 0 ? o->eta : 0,
        .options = c->options,
        .depends_on = c->ids,
        .on_failure = (enum moil_on_failure)o->on_failure,
    };
}

/* --- sending --------------------------------------------------------------------------------- */

static enum exit_status send_failed(const struct call *c, int rc)
{
    const struct batch *b = &c->batch;
    if (b->accepted + b->count <= 1) {
        return moil_connection_failed(c->client, rc, NULL);
    }
    moil_complain("%s; %zu job%s accepted before that, and of the next %zu some may be, too",
                  moil_client_error(c->client), b->accepted, b->accepted == 1 ? " was" : "s were",
                  b->count);
    return moil_exit_status(rc);
}

static enum exit_status send_words(struct call *c)
{
    char why[MESSAGE_BYTES];
    struct buffer args;
    enum exit_status status = STATUS_DONE;
    int rc = 0;
    moil_buffer_init(&args);
    if (moil_arguments_add(&args, c->o->operands + 1, c->o->operand_count - 1, why, sizeof why) <
        0) {
        status = moil_complain_usage("%s", why);
        goto out;
    }
    for (long i = 0; rc == 0 && i < c->o->repeat; i++) {
        rc = moil_batch_add(&c->batch, args.data, args.len);
    }
    rc = rc < 0 ? rc : moil_batch_send(&c->batch);
    status = rc < 0 ? send_failed(c, rc) : STATUS_DONE;
out:
    moil_buffer_fini(&args);
    return status;
}

/* Sends what stood before a bad line, and says where things stopped. */
static enum exit_status stop_at_line(struct call *c, size_t number, const char *why)
{
    int rc = moil_batch_send(&c->batch);
    if (rc < 0) {
        return send_failed(c, rc);
    }
    return moil_complain_usage(
        "line %zu of the input is %s; %zu job%s before it %s accepted, nothing "
        "after it was sent",
        number, why, c->batch.accepted, c->batch.accepted == 1 ? "" : "s",
        c->batch.accepted == 1 ? "was" : "were");
}

static bool is_blank(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r') {
            return false;
        }
    }
    return true;
}

static enum exit_status send_line(struct call *c, size_t number, const char *line, size_t len)
{
    char why[MESSAGE_BYTES];
    if (is_blank(line, len)) {
        return STATUS_DONE;
    }
    if (moil_arguments_check(line, len, '[', why, sizeof why) < 0) {
        return stop_at_line(c, number, why);
    }
    int rc = moil_batch_add(&c->batch, line, len);
    return rc < 0 ? send_failed(c, rc) : STATUS_DONE;
}

static enum exit_status send_lines(struct call *c, struct lines *l)
{
    const char *line = NULL;
    size_t len = 0;
    for (;;) {
        enum exit_status status = STATUS_DONE;
        enum line_status got = moil_lines_next(l, &line, &len);
        int rc = 0;
        switch (got) {
        case LINE_READ:
            status = send_line(c, l->number, line, len);
            break;
        case LINE_TOO_LONG:
            return stop_at_line(c, l->number, "over 1 MB");
        case LINE_FAILED:
            return stop_at_line(c, l->number + 1, strerror(errno));
        case LINE_IDLE:
        case LINE_END:
            rc = moil_batch_send(&c->batch);
            status = rc < 0 ? send_failed(c, rc) : STATUS_DONE;
            break;
        }
        if (status != STATUS_DONE || got == LINE_END) {
            return status;
        }
    }
}

static enum exit_status send_stdin(struct call *c)
{
    struct lines l;
    if (moil_lines_init(&l, STDIN_FILENO) < 0) {
        moil_complain("out of memory");
        return STATUS_JOB_FAILED;
    }
    enum exit_status status = send_lines(c, &l);
    moil_lines_fini(&l);
    return status;
}

/* --- waiting --------------------------------------------------------------------------------- */

/* For each job in the order of sending. The first failure of a job gives the exit status; when
 * waiting itself fails, it ends. */
static enum exit_status wait_for_all(struct call *c)
{
    enum exit_status first_failure = STATUS_DONE;
    int64_t start_us = moil_clock_monotonic_us();
    for (const char *id = moil_batch_next_id(&c->batch, NULL); id;
         id = moil_batch_next_id(&c->batch, id)) {
        struct waiting w = {
            .client = c->client,
            .id = id,
            .queue = c->job.queue ? c->job.queue : "default",
            .timeout = c->o->timeout,
            .deadline = c->o->deadline,
            .since_us = start_us,
            .follow = c->o->follow,
            .json = c->o->json,
        };
        moil_result result;
        enum exit_status status = moil_waiting_run(&w, &result);
        if (status != STATUS_DONE) {
            return status;
        }
        status = moil_waiting_print(&w, &result);
        moil_free(result.value);
        moil_output_flush();
        first_failure = first_failure == STATUS_DONE ? status : first_failure;
    }
    return first_failure;
}

/* --repeat with --interval: an entry of the schedule, which does it where this program is gone. */
static enum exit_status fill_entry(const struct options *o, json_t *entry, double now)
{
    char why[MESSAGE_BYTES];
    struct buffer args;
    double start = o->eta >= 0 ? o->eta : now + (o->countdown > 0 ? o->countdown : 0);
    json_object_set_new(entry, "task", json_string(o->operands[0]));
    json_object_set_new(entry, "every", moil_beat_entry_number(o->interval));
    json_object_set_new(entry, "start", json_real(start));
    json_object_set_new(entry, "max_runs", json_integer(o->repeat));
    if (o->call_result_ttl >= 0) {
        json_object_set_new(entry, "result_ttl", moil_beat_entry_number(o->call_result_ttl));
    }
    moil_beat_entry_add_call(entry, o, o->operands[0]);
    moil_buffer_init(&args);
    enum exit_status status = STATUS_DONE;
    if (moil_arguments_add(&args, o->operands + 1, o->operand_count - 1, why, sizeof why) < 0) {
        status = moil_complain_usage("%s", why);
    } else {
        json_object_set_new(entry, "args", json_loadb(args.data, args.len, JSON_ALLOW_NUL, NULL));
    }
    moil_buffer_fini(&args);
    return status == STATUS_DONE ? moil_beat_entry_add_json(entry, "kwargs", o->kwargs, '{')
                                 : status;
}

/* Its times are of Redis's clock. *rc: as of moil_beat_put. */
static enum exit_status put_repeat(const struct options *o, const char *name, int *rc)
{
    double now = 0;
    moil_client *client;
    enum exit_status status = moil_connection_open(o, &client);
    if (status != STATUS_DONE) {
        return status;
    }
    json_t *entry = json_object();
    int told = moil_now(client, &now);
    status = told < 0 ? moil_connection_failed(client, told, NULL) : fill_entry(o, entry, now);
    if (status == STATUS_DONE) {
        status = moil_beat_entry_put(client, name, entry, 1, rc);
    }
    json_decref(entry);
    moil_client_close(client);
    return status;
}

static enum exit_status repeat(const struct options *o)
{
    char id[MOIL_ID_LEN + 1];
    int rc = 0;
    moil_id_new(id);
    const char *name = o->id ? o->id : id;
    enum exit_status status = put_repeat(o, name, &rc);
    if (status == STATUS_DONE && o->json) {
        json_t *row = json_pack("{s:s, s:b}", "id", name, "created", rc == 1);
        moil_output_json(row);
        json_decref(row);
    } else if (status == STATUS_DONE) {
        printf("%s\n", name);
    }
    return status;
}

enum exit_status moil_cmd_call(const struct options *o)
{
    struct call c = {.o = o};
    bool wait = o->wait || o->follow;
    enum exit_status status = check(o);
    if (status == STATUS_DONE && o->interval >= 0) {
        return repeat(o);
    }
    if (status == STATUS_DONE) {
        status = moil_connection_open(o, &c.client);
    }
    if (status != STATUS_DONE) {
        return status;
    }
    if (!cut_ids(&c)) {
        moil_complain("out of memory");
        moil_client_close(c.client);
        free(c.depends_on);
        return STATUS_JOB_FAILED;
    }
    fill_job(&c);
    moil_batch_init(&c.batch, c.client, &c.job);
    c.batch.json = o->json;
    c.batch.print_ids = !wait;
    c.batch.keep_ids = wait;
    status = o->from_stdin ? send_stdin(&c) : send_words(&c);
    if (status == STATUS_DONE && wait) {
        status = wait_for_all(&c);
    }
    moil_batch_fini(&c.batch);
    free(c.queue);
    free(c.options);
    free(c.depends_on);
    free(c.ids);
    moil_client_close(c.client);
    return status;
}
