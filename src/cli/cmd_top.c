/* `moil top`: the loop and its keys; with --once, with --json, or where there is no terminal one
 * frame. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "cli/top.h"

#define DEADLINE_S 1.0 /* of each request: so long a key may wait */

static void say(struct top *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct top *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(t->message, sizeof t->message, fmt, ap);
    va_end(ap);
}

/* --- deeds ------------------------------------------------------------------------------------ */

/* A member of the selected row of a pane, "" where there is none. */
static void selected(struct top *t, enum top_pane pane, const char *key, char out[201])
{
    json_t *rows = moil_top_rows(t, pane);
    moil_top_follow(t, pane, rows);
    const json_t *row = json_array_get(rows, t->selected[pane]);
    const char *s = json_string_value(json_object_get(row, key));
    snprintf(out, 201, "%s", s ? s : "");
    json_decref(rows);
}

static bool is_paused(struct top *t)
{
    json_t *rows = moil_top_rows(t, PANE_QUEUES);
    moil_top_follow(t, PANE_QUEUES, rows);
    const json_t *row = json_array_get(rows, t->selected[PANE_QUEUES]);
    bool paused = json_is_true(json_object_get(row, "paused"));
    json_decref(rows);
    return paused;
}

static void steer_queue(struct top *t, bool resumes)
{
    char queue[201];
    selected(t, PANE_QUEUES, "queue", queue);
    if (t->pane != PANE_QUEUES || !queue[0]) {
        say(t, "p and u go with the queues: tab chooses them");
        return;
    }
    int rc = resumes ? moil_resume(t->client, queue) : moil_pause(t->client, queue);
    if (rc < 0) {
        say(t, "%s", moil_client_error(t->client));
    } else {
        say(t, "%s %s", resumes ? "resumed" : "paused", queue);
    }
    moil_top_look(t);
}

static void ask_revoke(struct top *t)
{
    selected(t, PANE_JOBS, "id", t->target);
    if (t->pane != PANE_JOBS || !t->target[0]) {
        say(t, "r goes with the jobs: tab chooses them");
        return;
    }
    t->mode = MODE_CONFIRM;
}

static void revoke(struct top *t, bool terminate)
{
    char state[201] = "";
    int rc = moil_revoke(t->client, t->target, terminate, state);
    if (rc < 0) {
        say(t, "%s", moil_client_error(t->client));
    } else if (strcmp(state, "STARTED") == 0) {
        say(t, "%s %s", t->target,
            terminate ? "was told to end" : "runs already (t in the place of y ends it)");
    } else {
        say(t, "%s is %s", t->target, state);
    }
    moil_top_look(t);
}

/* --- keys ------------------------------------------------------------------------------------- */

static void move(struct top *t, long by)
{
    json_t *rows = moil_top_rows(t, t->pane);
    moil_top_follow(t, t->pane, rows);
    long to = (long)t->selected[t->pane] + by;
    moil_top_select(t, t->pane, rows, to > 0 ? (size_t)to : 0);
    json_decref(rows);
}

static void type_filter(struct top *t, int key)
{
    size_t len = strlen(t->filter);
    if (key == KEY_ENTER) {
        t->mode = MODE_LOOK;
    } else if (key == KEY_ESCAPE) {
        t->filter[0] = '\0';
        t->mode = MODE_LOOK;
    } else if (key == KEY_DELETE && len > 0) {
        t->filter[len - 1] = '\0';
    } else if (key > ' ' && key < 127 && len < TOP_FILTER_MAX) {
        t->filter[len] = (char)key;
        t->filter[len + 1] = '\0';
    }
}

static void look_key(struct top *t, int key)
{
    switch (key) {
    case KEY_TAB:
        t->pane = (t->pane + 1) % PANES;
        break;
    case KEY_BACKTAB:
        t->pane = (t->pane + PANES - 1) % PANES;
        break;
    case KEY_UP:
    case 'k':
        move(t, -1);
        break;
    case KEY_DOWN:
    case 'j':
        move(t, 1);
        break;
    case KEY_PAGE_UP:
        move(t, -10);
        break;
    case KEY_PAGE_DOWN:
        move(t, 10);
        break;
    case KEY_HOME:
    case 'g':
        move(t, -1000000);
        break;
    case KEY_END:
    case 'G':
        move(t, 1000000);
        break;
    case 'p':
        steer_queue(t, is_paused(t));
        break;
    case 'u':
        steer_queue(t, true);
        break;
    case 'r':
        ask_revoke(t);
        break;
    case '/':
        t->mode = MODE_FILTER;
        break;
    case KEY_ESCAPE:
        t->filter[0] = '\0';
        break;
    case '?':
    case 'h':
        t->mode = MODE_HELP;
        break;
    default:
        break;
    }
}

/* False: the end. */
static bool obey(struct top *t, int key)
{
    enum top_mode mode = t->mode;
    if (key == KEY_CLOSED) {
        return false;
    }
    t->message[0] = '\0';
    if (mode == MODE_FILTER) {
        type_filter(t, key);
    } else if (mode == MODE_CONFIRM) {
        t->mode = MODE_LOOK;
        if (key == 'y' || key == 't') {
            revoke(t, key == 't');
        }
    } else if (mode == MODE_HELP) {
        t->mode = MODE_LOOK;
    } else if (key == 'q') {
        return false;
    } else {
        look_key(t, key);
    }
    return true;
}

/* --- the loop --------------------------------------------------------------------------------- */

static void draw(struct top *t)
{
    struct buffer frame;
    size_t rows, columns;
    moil_terminal_size(&rows, &columns);
    moil_buffer_init(&frame);
    moil_top_frame(t, rows, columns, &frame);
    if (!frame.failed) {
        moil_terminal_draw(moil_buffer_slice(&frame));
    }
    moil_buffer_fini(&frame);
}

static double interval_of(const struct options *o)
{
    return o->interval > 0 ? o->interval : 1;
}

static void run(struct top *t)
{
    int64_t next_us = 0;
    for (bool goes_on = true; goes_on;) {
        int64_t now_us = moil_clock_monotonic_us();
        if (now_us >= next_us) {
            moil_top_look(t);
            next_us = moil_clock_monotonic_us() + (int64_t)(interval_of(t->options) * 1e6);
        }
        draw(t);
        double left = (double)(next_us - moil_clock_monotonic_us()) / 1e6;
        int key = moil_terminal_wait(left > 0 ? left : 0);
        goes_on = key == KEY_NONE || obey(t, key);
    }
}

/* Two looks, a moment apart, so that there are rates. */
static enum exit_status print_once(struct top *t)
{
    double pause = interval_of(t->options);
    moil_top_look(t);
    if (!t->trouble[0]) {
        nanosleep(&(struct timespec){.tv_sec = (time_t)pause,
                                     .tv_nsec = (long)((pause - (double)(time_t)pause) * 1e9)},
                  NULL);
        moil_top_look(t);
    }
    if (t->trouble[0]) {
        moil_complain("%s (--redis or MOIL_REDIS says which Redis to use)", t->trouble);
        return STATUS_NO_REDIS;
    }
    if (t->options->json) {
        json_t *frame = moil_top_json(t);
        moil_output_json(frame);
        json_decref(frame);
        return STATUS_DONE;
    }
    struct buffer text;
    moil_buffer_init(&text);
    moil_top_print(t, &text);
    fputs(moil_buffer_cstr(&text), stdout);
    moil_buffer_fini(&text);
    return STATUS_DONE;
}

static enum exit_status show(struct top *t)
{
    if (t->options->once || t->options->json || !moil_terminal_is_there()) {
        return print_once(t);
    }
    if (moil_terminal_begin() < 0) {
        moil_complain("cannot use this terminal: %s", strerror(errno));
        return STATUS_JOB_FAILED;
    }
    run(t);
    moil_terminal_end();
    return STATUS_DONE;
}

enum exit_status moil_cmd_top(const struct options *o)
{
    struct options mine = *o;
    struct top t = {.options = o};
    enum exit_status status = moil_check_operands(o, 0, 0, "nothing");
    if (mine.deadline > DEADLINE_S && !o->once && !o->json && moil_terminal_is_there()) {
        mine.deadline = DEADLINE_S;
    }
    if (status == STATUS_DONE) {
        status = moil_connection_open(&mine, &t.client);
    }
    if (status != STATUS_DONE) {
        return status;
    }
    status = show(&t);
    for (size_t i = 0; i < PANES; i++) {
        json_decref(t.rows[i]);
    }
    json_decref(t.totals);
    json_decref(t.before);
    moil_client_close(t.client);
    return status;
}
