/* The C client, driven by lines on stdin: what spec/api/client_spec.lua uses. Built as
 * build/spec/client_probe; knows moil.h alone.
 *
 *   client_probe URL [NAMESPACE [DEADLINE [MAX_PAYLOAD]]]
 *
 * A line is a command and its words, with tabs between them; "-" stands for NULL. Each is answered
 * by one line: the status, a tab, the client's sentence, a tab, what the function gave.
 *
 *   enqueue k=v … ; k=v …     jobs of moil_job's fields, with ";" between them
 *   bulk TASK COUNT PREFIX    ids PREFIX-1 …, arguments [1] …
 *   wait ID TIMEOUT [STOP]    lines "progress STATE META" first; STOP of them end it
 *   job ID
 *   view NUMBER [OFFSET LIMIT]
 *   revoke ID [now]           now: terminate it, if it runs
 *   reschedule ID COUNTDOWN ETA
 *   forget ID, delete ID
 *   purge Q, pause Q, resume Q, served Q
 *   dead_retry ID TASK, dead_delete ID TASK */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/moil.h"

enum { WORDS_MAX = 64, JOBS_MAX = 16, LINE_MAX = 4 * 1024 * 1024 };

static moil_client *client;

static void answer(int status, const char *text)
{
    printf("%d\t%s\t%s\n", status, moil_client_error(client), text ? text : "");
    fflush(stdout);
}

static const char *or_null(const char *word)
{
    return word && strcmp(word, "-") == 0 ? NULL : word;
}

/* --- enqueue ---------------------------------------------------------------------------------- */

static void set_field(moil_job *job, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **field;
    } texts[] = {
        {"task", &job->task},   {"args", &job->args}, {"kwargs", &job->kwargs},
        {"queue", &job->queue}, {"id", &job->id},     {"options", &job->options},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].field = value;
        }
    }
    if (strcmp(name, "priority") == 0) {
        job->has_priority = 1;
        job->priority = atoi(value);
    } else if (strcmp(name, "at_front") == 0) {
        job->at_front = atoi(value);
    } else if (strcmp(name, "countdown") == 0) {
        job->countdown = atof(value);
    } else if (strcmp(name, "eta") == 0) {
        job->eta = atof(value);
    }
}

static void enqueue(char **words, int count)
{
    moil_job jobs[JOBS_MAX] = {0};
    moil_enqueued out[JOBS_MAX] = {0};
    size_t n = 0;
    for (int i = 0; i < count && n < JOBS_MAX; i++) {
        char *value = strchr(words[i], '=');
        if (strcmp(words[i], ";") == 0) {
            n++;
        } else if (value) {
            *value++ = '\0';
            set_field(&jobs[n], words[i], value);
        }
    }
    n += count > 0;
    int status = moil_enqueue(client, jobs, n, out);
    char text[JOBS_MAX * 210] = "";
    for (size_t i = 0; i < n; i++) {
        size_t at = strlen(text);
        snprintf(text + at, sizeof text - at, "%s%s %d", i ? " " : "", out[i].id, out[i].created);
    }
    answer(status, text);
}

static void bulk(const char *task, size_t count, const char *prefix)
{
    moil_job *jobs = calloc(count, sizeof *jobs);
    char(*texts)[2][64] = calloc(count, sizeof *texts);
    moil_enqueued *out = calloc(count, sizeof *out);
    size_t created = 0;
    if (!jobs || !texts || !out) {
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        snprintf(texts[i][0], sizeof texts[i][0], "%s-%zu", prefix, i + 1);
        snprintf(texts[i][1], sizeof texts[i][1], "[%zu]", i + 1);
        jobs[i] = (moil_job){.task = task, .id = texts[i][0], .args = texts[i][1]};
    }
    int status = moil_enqueue(client, jobs, count, out);
    for (size_t i = 0; i < count; i++) {
        created += out[i].created != 0;
    }
    char text[64];
    snprintf(text, sizeof text, "%zu", created);
    answer(status, text);
    free(jobs);
    free(texts);
    free(out);
}

/* --- the rest --------------------------------------------------------------------------------- */

static int progress(void *data, const char *state, const char *meta, size_t meta_len)
{
    int *left = data;
    printf("progress\t%s\t%.*s\n", state, (int)meta_len, meta);
    return --*left == 0;
}

static void wait_for(const char *id, double timeout, int stop)
{
    moil_result result = {.state = ""};
    int status = moil_wait(client, id, timeout, stop >= 0 ? progress : NULL, &stop, &result);
    size_t size = result.value_len + 256;
    char *text = malloc(size);
    snprintf(text, size, "%s %s", result.state, result.value ? result.value : "");
    answer(status, text);
    free(text);
    moil_free(result.value);
}

static void answer_json(int status, char *json)
{
    answer(status, json);
    moil_free(json);
}

static void answer_count(int status, size_t count)
{
    char text[32];
    snprintf(text, sizeof text, "%zu", count);
    answer(status, text);
}

static void look(const char *name, char **w, int n)
{
    char *json = NULL;
    if (strcmp(name, "job") == 0) {
        int status = moil_inspect_job(client, or_null(w[0]), &json);
        answer_json(status, json);
    } else {
        int status =
            moil_inspect(client, (moil_view)atoi(w[0]), n > 1 ? strtoul(w[1], NULL, 10) : 0,
                         n > 2 ? strtoul(w[2], NULL, 10) : 0, &json);
        answer_json(status, json);
    }
}

static void beat(const char *name, char **w)
{
    char *json = NULL;
    const char *first = or_null(w[0]);
    if (strcmp(name, "beat_put") == 0) {
        answer(moil_beat_put(client, first, or_null(w[1])), "");
    } else if (strcmp(name, "beat_change") == 0) {
        answer(moil_beat_change(client, first, or_null(w[1])), "");
    } else if (strcmp(name, "beat_remove") == 0) {
        answer(moil_beat_remove(client, first), "");
    } else if (strcmp(name, "beat_pause") == 0) {
        answer(moil_beat_pause(client, first, atoi(w[1])), "");
    } else if (strcmp(name, "beat_list") == 0) {
        int status = moil_beat_list(client, &json);
        answer_json(status, json);
    } else if (strcmp(name, "beat_history") == 0) {
        int status = moil_beat_history(client, first, strtoul(w[1], NULL, 10), &json);
        answer_json(status, json);
    } else {
        answer(-999, "no such command");
    }
}

static void steer(const char *name, char **w)
{
    char state[201] = "";
    size_t count = 0;
    const char *first = or_null(w[0]);
    if (strcmp(name, "revoke") == 0) {
        int status = moil_revoke(client, first, w[1][0] != 0, state);
        answer(status, state);
    } else if (strcmp(name, "reschedule") == 0) {
        int status = moil_reschedule(client, first, atof(w[1]), atof(w[2]), state);
        answer(status, state);
    } else if (strcmp(name, "forget") == 0) {
        answer(moil_forget(client, first), "");
    } else if (strcmp(name, "delete") == 0) {
        answer(moil_delete(client, first), "");
    } else if (strcmp(name, "purge") == 0) {
        int status = moil_purge(client, first, &count);
        answer_count(status, count);
    } else if (strcmp(name, "pause") == 0) {
        answer(moil_pause(client, first), "");
    } else if (strcmp(name, "resume") == 0) {
        answer(moil_resume(client, first), "");
    } else if (strcmp(name, "dead_retry") == 0) {
        int status = moil_dead_retry(client, first, or_null(w[1]), &count);
        answer_count(status, count);
    } else if (strcmp(name, "dead_delete") == 0) {
        int status = moil_dead_delete(client, first, or_null(w[1]), &count);
        answer_count(status, count);
    } else if (strcmp(name, "served") == 0) {
        answer(moil_is_served(client, first), "");
    } else {
        answer(-999, "no such command");
    }
}

static void serve(char *line)
{
    static char nothing[1];
    char *words[WORDS_MAX];
    int n = 0;
    for (int i = 0; i < WORDS_MAX; i++) {
        words[i] = nothing;
    }
    for (char *word; n < WORDS_MAX - 2 && (word = strsep(&line, "\t"));) {
        words[n++] = word;
    }
    char **w = words + 1;
    if (strcmp(words[0], "enqueue") == 0) {
        enqueue(w, n - 1);
    } else if (strcmp(words[0], "bulk") == 0) {
        bulk(w[0], strtoul(w[1], NULL, 10), w[2]);
    } else if (strcmp(words[0], "wait") == 0) {
        wait_for(or_null(w[0]), atof(w[1]), n > 3 ? atoi(w[2]) : -1);
    } else if (strcmp(words[0], "job") == 0 || strcmp(words[0], "view") == 0) {
        look(words[0], w, n - 1);
    } else if (strncmp(words[0], "beat_", 5) == 0) {
        beat(words[0], w);
    } else {
        steer(words[0], w);
    }
}

int main(int argc, char **argv)
{
    char errstr[512] = "";
    moil_client_options options = {
        .url = argc > 1 ? or_null(argv[1]) : NULL,
        .ns = argc > 2 ? or_null(argv[2]) : NULL,
        .deadline = argc > 3 ? atof(argv[3]) : 0,
        .max_payload = argc > 4 ? strtoul(argv[4], NULL, 10) : 0,
    };
    int status = moil_client_open(&client, &options, errstr, sizeof errstr);
    if (status) {
        printf("%d\t%s\t\n", status, errstr);
        return 1;
    }
    char *line = malloc(LINE_MAX);
    while (line && fgets(line, LINE_MAX, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        serve(line);
    }
    free(line);
    moil_client_close(client);
    return 0;
}
