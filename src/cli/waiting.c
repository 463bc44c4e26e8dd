/* Waiting in two slices: one second, a look whether anybody serves the queue, the rest. */
#include "cli/waiting.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/job_text.h"
#include "cli/output.h"

#define FIRST_SLICE 1.0 /* seconds until a missing worker is worth a line */

struct progress {
    const struct waiting *waiting;
    struct buffer last; /* what was printed last: each slice tells the current state anew */
};

static void print_progress(const struct waiting *w, const char *state, const char *meta, size_t len)
{
    if (!w->json) {
        struct buffer line;
        moil_buffer_init(&line);
        moil_output_clean(&line, meta, len);
        fprintf(stderr, "%s %s\n", state, moil_buffer_cstr(&line));
        moil_buffer_fini(&line);
        return;
    }
    json_t *value = json_loadb(meta, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    json_t *object = json_pack("{s:s, s:s, s:o*}", "id", w->id, "state", state, "meta", value);
    if (object) {
        moil_output_json(object);
        moil_output_flush();
    }
    json_decref(object);
}

static int progress_cb(void *data, const char *state, const char *meta, size_t meta_len)
{
    struct progress *p = data;
    struct buffer now;
    moil_buffer_init(&now);
    moil_buffer_addf(&now, "%s ", state);
    moil_buffer_add(&now, meta, meta_len);
    if (now.len != p->last.len || memcmp(now.data, p->last.data, now.len) != 0) {
        print_progress(p->waiting, state, meta, meta_len);
    }
    moil_buffer_fini(&p->last);
    p->last = now;
    return 0;
}

/* The queue of a job that is only known by its id; NULL when it cannot be told. To be freed. */
static char *find_queue(const struct waiting *w)
{
    char *text = NULL, *queue = NULL;
    if (w->queue) {
        return strdup(w->queue);
    }
    if (moil_inspect_job(w->client, w->id, &text) == 0) {
        json_t *job = json_loads(text, JSON_ALLOW_NUL, NULL);
        const char *name = json_string_value(json_object_get(job, "queue"));
        queue = name ? strdup(name) : NULL;
        json_decref(job);
        moil_free(text);
    }
    return queue;
}

static void warn_unserved(const struct waiting *w)
{
    char *queue = find_queue(w);
    if (queue && moil_is_served(w->client, queue) == 0) {
        moil_complain("no worker serves the queue \"%s\" (start one: moil worker -q %s); still "
                      "waiting",
                      queue, queue);
    }
    free(queue);
}

static enum exit_status timed_out(const struct waiting *w)
{
    moil_complain(
        "the job did not end within %.15g s; it goes on, and `moil result %s --wait` waits "
        "for it",
        w->timeout, w->id);
    return STATUS_TIMED_OUT;
}

/* Seconds; -1: for ever. */
static double time_left(const struct waiting *w)
{
    if (w->timeout < 0) {
        return -1;
    }
    double left = w->timeout - (double)(moil_clock_monotonic_us() - w->since_us) / 1e6;
    return left > 0 ? left : 0;
}

/* The first slice of the waiting is over, and there is more: the job has not ended, or Redis went
 * away meanwhile and may come back. One that was never there fails at once or at its deadline. */
static bool goes_on(const struct waiting *w, int rc, double left, double slice)
{
    double took = (double)(moil_clock_monotonic_us() - w->since_us) / 1e6;
    bool went_away = rc == MOIL_STATUS_UNAVAILABLE && took >= slice && took < w->deadline;
    return (rc == MOIL_STATUS_TIMEOUT || went_away) && (left < 0 || left > slice);
}

enum exit_status moil_waiting_run(const struct waiting *w, moil_result *out)
{
    struct progress progress = {.waiting = w};
    moil_progress_fn *on_progress = w->follow ? progress_cb : NULL;
    double left = time_left(w);
    double slice = left < 0 || left > FIRST_SLICE ? FIRST_SLICE : left;

    moil_buffer_init(&progress.last);
    int rc = moil_wait(w->client, w->id, slice, on_progress, &progress, out);
    if (goes_on(w, rc, left, slice)) {
        if (rc == MOIL_STATUS_TIMEOUT) {
            warn_unserved(w);
        }
        rc = moil_wait(w->client, w->id, time_left(w), on_progress, &progress, out);
    }
    moil_buffer_fini(&progress.last);
    if (rc == MOIL_STATUS_TIMEOUT) {
        return timed_out(w);
    }
    return rc < 0 ? moil_connection_failed(w->client, rc, w->id) : STATUS_DONE;
}

/* --- the outcome ----------------------------------------------------------------------------- */

/* What the result alone tells, for a job whose record has gone meanwhile. */
static void print_json_of_result(const struct waiting *w, const moil_result *result)
{
    struct buffer line;
    bool ok = moil_job_exit_status(slice_str(result->state)) == STATUS_DONE;
    moil_buffer_init(&line);
    moil_buffer_addf(&line, "{\"id\":\"%s\",\"state\":\"%s\",\"%s\":", w->id, result->state,
                     ok ? "result" : "error");
    moil_buffer_add(&line, result->value, result->value_len);
    moil_buffer_add_char(&line, '}');
    moil_output_json_text(moil_buffer_cstr(&line), false);
    moil_buffer_fini(&line);
}

static void print_json(const struct waiting *w, const moil_result *result)
{
    char *text = NULL;
    if (moil_inspect_job(w->client, w->id, &text) == 0) {
        moil_output_json_text(text, false);
        moil_free(text);
    } else {
        print_json_of_result(w, result);
    }
}

enum exit_status moil_waiting_print(const struct waiting *w, const moil_result *result)
{
    struct slice state = slice_str(result->state);
    enum exit_status status = moil_job_exit_status(state);
    if (w->json) {
        print_json(w, result);
    } else if (status == STATUS_DONE && !w->show_state) {
        fwrite(result->value, 1, result->value_len, stdout);
        putchar('\n');
    } else {
        moil_job_text_print_state(state, slice_of(result->value, result->value_len));
    }
    return status;
}
