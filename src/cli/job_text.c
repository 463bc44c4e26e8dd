/* Rendering of one job's JSON (the keys that --json promises) as lines of text. */
#include "cli/job_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/age.h"
#include "cli/json_text.h"
#include "cli/output.h"

enum { KEY_COLUMN = 13 };

static bool is_instant(struct slice key)
{
    return key.n > 3 && memcmp(key.p + key.n - 3, "_at", 3) == 0;
}

/* Results and arguments stay JSON, so that "4" and 4 are told apart. */
static bool stays_json(struct slice key)
{
    return slice_is(key, "result") || slice_is(key, "args") || slice_is(key, "meta");
}

static void print_field(struct slice key, struct slice value, double now)
{
    struct buffer line;
    moil_buffer_init(&line);
    if (is_instant(key)) {
        moil_age_add_instant(&line, strtod(value.p, NULL), now);
    } else if (stays_json(key)) {
        moil_json_add_compact(&line, value);
    } else {
        moil_json_add_clean(&line, value);
    }
    printf("%-*.*s %s\n", KEY_COLUMN, (int)key.n, key.p, moil_buffer_cstr(&line));
    moil_buffer_fini(&line);
}

/* Its lines, each set in; `text` is a JSON string, so that its newlines are written as \n. */
static void print_traceback(struct slice text)
{
    const char *p = text.p + 1, *end = text.p + text.n - 1;
    while (text.n > 2 && p < end) {
        struct buffer line, quoted;
        const char *newline = memmem(p, (size_t)(end - p), "\\n", 2);
        const char *stop = newline ? newline : end;
        moil_buffer_init(&line);
        moil_buffer_init(&quoted);
        moil_buffer_addf(&quoted, "\"%.*s\"", (int)(stop - p), p);
        moil_json_add_clean(&line, moil_buffer_slice(&quoted));
        printf("%-*s   %s\n", KEY_COLUMN, "", moil_buffer_cstr(&line));
        moil_buffer_fini(&line);
        moil_buffer_fini(&quoted);
        p = newline ? newline + 2 : end;
    }
}

static void print_error_fields(struct slice error)
{
    struct slice code = moil_json_member(error, "code");
    struct slice message = moil_json_member(error, "message");
    struct slice traceback = moil_json_member(error, "traceback");
    if (code.p) {
        print_field(slice_str("error"), code, 0);
    }
    if (message.p) {
        print_field(slice_str("message"), message, 0);
    }
    if (traceback.p && traceback.p[0] == '"') {
        print_traceback(traceback);
    }
}

void moil_job_text_print(struct slice job, double now)
{
    struct json_cursor c;
    struct slice key, value;
    if (!moil_json_enter(&c, job)) {
        return;
    }
    while (moil_json_next(&c, &key, &value)) {
        if (slice_is(key, "error") && value.p[0] == '{') {
            print_error_fields(value);
        } else if (!slice_is(value, "null")) {
            print_field(key, value, now);
        }
    }
}

/* An error's message, or its code, or what it is. */
static void add_error(struct buffer *out, struct slice error)
{
    struct slice message = moil_json_member(error, "message");
    if (!message.p || slice_is(message, "\"\"")) {
        message = moil_json_member(error, "code");
    }
    message = message.p ? message : error;
    if (message.p) {
        moil_json_add_clean(out, message);
    }
}

void moil_job_text_print_state(struct slice state, struct slice value)
{
    bool failed = moil_job_exit_status(state) == STATUS_JOB_FAILED;
    struct buffer line;
    moil_buffer_init(&line);
    moil_output_clean(&line, state.p, state.n);
    if (value.p) {
        moil_buffer_add_str(&line, failed ? ": " : " ");
    }
    if (failed) {
        add_error(&line, value);
    } else if (value.p) {
        moil_json_add_compact(&line, value);
    }
    fprintf(failed ? stderr : stdout, "%s\n", moil_buffer_cstr(&line));
    moil_buffer_fini(&line);
}

enum exit_status moil_job_exit_status(struct slice state)
{
    bool failed = slice_is(state, "FAILURE") || slice_is(state, "REVOKED");
    return failed ? STATUS_JOB_FAILED : STATUS_DONE;
}
