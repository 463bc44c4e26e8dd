/* `moil doctor`: what is not as it should be, and what to do. */
#include <jansson.h>
#include <stdio.h>

#include "cli/cell.h"
#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/json_text.h"
#include "cli/output.h"

/* ok    version      Redis 7.0.15 */
static void print_check(struct slice check)
{
    struct buffer level, name, text;
    struct slice advice = moil_json_member(check, "advice");
    moil_buffer_init(&level);
    moil_buffer_init(&name);
    moil_buffer_init(&text);
    moil_json_add_clean(&level, moil_json_member(check, "level"));
    moil_json_add_clean(&name, moil_json_member(check, "check"));
    moil_json_add_clean(&text, moil_json_member(check, "text"));
    if (advice.p) {
        moil_buffer_add_str(&text, "; ");
        moil_json_add_clean(&text, advice);
    }
    const char *colour =
        moil_output_has_colours() ? moil_cell_colour(CELL_HEALTH, moil_buffer_slice(&level)) : "";
    printf("%s%-4s%s  %-11s  %s\n", colour, moil_buffer_cstr(&level), colour[0] ? "\033[0m" : "",
           moil_buffer_cstr(&name), moil_buffer_cstr(&text));
    moil_buffer_fini(&level);
    moil_buffer_fini(&name);
    moil_buffer_fini(&text);
}

static void print_text(struct slice answer)
{
    struct json_cursor c;
    struct slice key, check;
    if (moil_json_enter(&c, moil_json_member(answer, "checks"))) {
        while (moil_json_next(&c, &key, &check)) {
            print_check(check);
        }
    }
}

enum exit_status moil_cmd_doctor(const struct options *o)
{
    moil_client *client;
    char *text = NULL;
    enum exit_status status = moil_check_operands(o, 0, 0, "nothing");
    if (status == STATUS_DONE) {
        status = moil_connection_open(o, &client);
    }
    if (status != STATUS_DONE) {
        return status;
    }
    int bad = moil_doctor(client, &text);
    if (bad < 0) {
        status = moil_connection_failed(client, bad, NULL);
    } else if (o->json) {
        moil_output_json_text(text, false);
    } else {
        print_text(slice_str(text));
    }
    if (bad > 0) {
        status = STATUS_CHECK_FAILED;
    }
    moil_free(text);
    moil_client_close(client);
    return status;
}
