/* doctor.c: see doctor.h. */
#include "api/doctor.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"
#include "base/json_dump.h"
#include "base/line.h"
#include "base/utf8.h"

enum { COMMAND_TIMEOUT_MS = 5000, WORDS_MAX = 8 };

void moil_doctor_say(struct doctor *d, const char *check, enum doctor_level level,
                     const char *advice, const char *fmt, ...)
{
    static const char *const levels[] = {"ok", "warn", "bad"};
    char text[700];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    moil_line_clean(text);
    moil_utf8_mend(text);
    json_t *row = json_object();
    json_object_set_new(row, "check", json_string(check));
    json_object_set_new(row, "level", json_string(levels[level]));
    json_object_set_new(row, "text", json_string(text));
    if (advice && level != DOCTOR_OK)
        json_object_set_new(row, "advice", json_string(advice));
    json_array_append_new(d->checks, row);
    d->bad += level == DOCTOR_BAD;
}

struct command {
    void (*take)(void *data, const struct reply *reply);
    void *data;
    bool done;
    int err;
};

static void answered(void *data, int err, const struct reply *reply)
{
    struct command *command = data;
    command->done = true;
    command->err = reply ? 0 : err;
    if (reply && command->take)
        command->take(command->data, reply);
}

int moil_doctor_command(struct doctor *d, const char *const *words,
                        void (*take)(void *data, const struct reply *reply), void *data)
{
    struct moil_client *c = d->client;
    struct command command = {.take = take, .data = data};
    moil_args_clear(&c->broker.args);
    for (int i = 0; i < WORDS_MAX && words[i]; i++)
        moil_args_str(&c->broker.args, words[i]);
    /* The link calls back in any case, at the latest when its deadline has passed. */
    int err = moil_link_call(c->link, &c->broker.args, COMMAND_TIMEOUT_MS, answered, &command);
    while (!err && !command.done) {
        moil_link_flush(c->link);
        ev_run(c->loop, EVRUN_ONCE);
    }
    return err ? err : command.err;
}

int moil_doctor(moil_client *c, char **json)
{
    struct doctor d = {.client = c, .checks = json_array()};
    moil_buffer_init(&d.info);
    if (moil_doctor_redis(&d))
        moil_doctor_jobs(&d);
    moil_doctor_host(&d);
    json_t *answer = json_pack("{s:b, s:O}", "ok", d.bad == 0, "checks", d.checks);
    char *text = answer ? moil_json_dump(answer, JSON_COMPACT | JSON_REAL_PRECISION(16)) : NULL;
    json_decref(answer);
    json_decref(d.checks);
    json_decref(d.nodes);
    moil_buffer_fini(&d.info);
    if (!text)
        return moil_client_fail(c, MOIL_STATUS_NOMEM, "out of memory");
    *json = text;
    return d.bad;
}
