/* audit.c: the books of a namespace, and whether they balance. A part of the client (client.h). */
#include "queue/audit.h"

#include "api/client.h"
#include "api/survey.h"
#include "base/error.h"

struct check {
    struct buffer out, differences;
    int count; /* of differences */
    bool legible;
};

static int take_books(void *data, const struct reply *reply)
{
    struct check *check = data;
    int count = moil_audit_describe(reply, &check->out, &check->differences, &check->legible);
    check->count = count > 0 ? count : 0;
    return count < 0 ? MOIL_STATUS_BAD_RECORD : 0;
}

/* The whole object: what was described, and the differences at its end. */
static int give(struct moil_client *c, struct check *check, char **json)
{
    struct buffer *out = &check->out;
    if (check->differences.len > 0)
        check->differences.len--; /* the last comma */
    moil_buffer_add_str(out, check->count ? ",\"ok\":false" : ",\"ok\":true");
    moil_buffer_add_str(out, ",\"differences\":[");
    moil_buffer_add_slice(out, moil_buffer_slice(&check->differences));
    moil_buffer_add_str(out, "]}");
    if (out->failed || check->differences.failed || !(*json = moil_buffer_take(out, NULL)))
        return moil_client_fail(c, MOIL_STATUS_NOMEM, "out of memory");
    return check->count;
}

int moil_audit(moil_client *c, char **json)
{
    struct check check = {.count = 0};
    moil_buffer_init(&check.out);
    moil_buffer_init(&check.differences);
    moil_buffer_add_char(&check.out, '{');
    moil_client_begin(c, c->deadline_s);
    int status = moil_client_call(c, SCRIPT_AUDIT, NULL, take_books, &check);
    if (!status && check.legible) /* where all keys are of the right type */
        status = moil_survey(c, &check.differences, &check.count);
    if (!status)
        status = give(c, &check, json);
    moil_buffer_fini(&check.differences);
    moil_buffer_fini(&check.out);
    return status;
}
