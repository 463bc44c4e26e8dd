/* `moil why ID`: why a job is not running yet. */
#include <jansson.h>
#include <stdio.h>

#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/json_text.h"
#include "cli/output.h"

#define SAMPLE_S 1.0 /* to see how fast the queue moves; only where other jobs are before it */

static void print_clean(const char *mark, struct slice text)
{
    struct buffer line;
    moil_buffer_init(&line);
    moil_json_add_clean(&line, text);
    printf("%s%s", mark, moil_buffer_cstr(&line));
    moil_buffer_fini(&line);
}

static void print_text(struct slice why)
{
    struct json_cursor c;
    struct slice key, reason, queue = moil_json_member(why, "queue");
    print_clean("", moil_json_member(why, "task"));
    print_clean(" ", moil_json_member(why, "id"));
    print_clean(": ", moil_json_member(why, "state"));
    if (queue.p) {
        print_clean(", queue ", queue);
    }
    putchar('\n');
    if (moil_json_enter(&c, moil_json_member(why, "reasons"))) {
        while (moil_json_next(&c, &key, &reason)) {
            print_clean("- ", moil_json_member(reason, "text"));
            putchar('\n');
        }
    }
}

enum exit_status moil_cmd_why(const struct options *o)
{
    moil_client *client;
    char *text = NULL;
    enum exit_status status = moil_check_operands(o, 1, 1, "the job's id");
    if (status == STATUS_DONE) {
        status = moil_connection_open(o, &client);
    }
    if (status != STATUS_DONE) {
        return status;
    }
    int rc = moil_why(client, o->operands[0], SAMPLE_S, &text);
    if (rc < 0) {
        status = moil_connection_failed(client, rc, o->operands[0]);
    } else if (o->json) {
        moil_output_json_text(text, false);
    } else {
        print_text(slice_str(text));
    }
    moil_free(text);
    moil_client_close(client);
    return status;
}
