/* Waiting in two slices: one second, a look whether anybody serves the queue, the rest; where a
 * person follows on a terminal the rest is in short ones, between which a bar is drawn. */
#include "cli/waiting.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/job_text.h"
#include "cli/output.h"
#include "cli/progress_bar.h"

#define FIRST_SLICE 1.0 /* seconds until a missing worker is worth a line */
#define BAR_SLICE   0.2 /* of a wait with a bar: each asks Redis once */

struct progress {
    const struct waiting *waiting;
    struct buffer last; /* what was printed last: each slice tells the current state anew */
    struct progress_bar bar;
    struct buffer text; /* behind the bar */
    double done, total; /* 0: not known */
};

static void draw(struct progress *p)
{
    const char *text = p->text.len ? moil_buffer_cstr(&p->text) : "waiting";
    moil_progress_bar_draw(&p->bar, p->done, p->total, text);
}

/* The bar of what a job tells: {"percent": 50}, or {"done": 5, "total": 10}. */
static void show_progress(struct progress *p, const char *state, const char *meta, size_t len)
{
    json_t *value = json_loadb(meta, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    const json_t *percent = json_object_get(value, "percent");
    const json_t *done = json_object_get(value, "done"), *total = json_object_get(value, "total");
    p->done = json_number_value(json_is_number(percent) ? percent : done);
    p->total = json_is_number(percent) ? 100 : json_is_number(done) ? json_number_value(total) : 0;
    moil_buffer_clear(&p->text);
    moil_buffer_addf(&p->text, "%s ", state);
    moil_output_clean(&p->text, meta, len);
    json_decref(value);
    draw(p);
}

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
    bool is_new = now.len != p->last.len || memcmp(now.data, p->last.data, now.len) != 0;
    if (is_new && p->bar.wanted) {
        show_progress(p, state, meta, meta_len);
    } else if (is_new) {
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

/* With a bar in ticks; that Redis is away is no reason to give up before the time is over. */
static int wait_on(const struct waiting *w, struct progress *p, moil_result *out)
{
    moil_progress_fn *on_progress = w->follow ? progress_cb : NULL;
    for (;;) {
        double left = time_left(w), slice = left;
        bool is_last = !p->bar.wanted || (left >= 0 && left <= BAR_SLICE);
        if (!is_last) {
            slice = BAR_SLICE;
        }
        int rc = moil_wait(w->client, w->id, slice, on_progress, p, out);
        if (is_last || (rc != MOIL_STATUS_TIMEOUT && rc != MOIL_STATUS_UNAVAILABLE)) {
            return rc;
        }
        if (rc == MOIL_STATUS_UNAVAILABLE) {
            nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
        }
        draw(p);
    }
}

static int wait_for(const struct waiting *w, struct progress *p, moil_result *out)
{
    moil_progress_fn *on_progress = w->follow ? progress_cb : NULL;
    double left = time_left(w);
    double slice = left < 0 || left > FIRST_SLICE ? FIRST_SLICE : left;
    int rc = moil_wait(w->client, w->id, slice, on_progress, p, out);
    if (goes_on(w, rc, left, slice)) {
        if (rc == MOIL_STATUS_TIMEOUT) {
            moil_progress_bar_clear(&p->bar);
            warn_unserved(w);
        }
        draw(p);
        rc = wait_on(w, p, out);
    }
    return rc;
}

enum exit_status moil_waiting_run(const struct waiting *w, moil_result *out)
{
    struct progress progress = {.waiting = w};
    moil_buffer_init(&progress.last);
    moil_buffer_init(&progress.text);
    moil_progress_bar_init(&progress.bar, w->follow && !w->json);
    int rc = wait_for(w, &progress, out);
    moil_progress_bar_clear(&progress.bar);
    moil_buffer_fini(&progress.last);
    moil_buffer_fini(&progress.text);
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
        moil_output_json_text(result->value, false);
    } else {
        moil_job_text_print_state(state, slice_of(result->value, result->value_len));
    }
    return status;
}
