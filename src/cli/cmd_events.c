/* `moil events`: what happens, a line of JSON each, until it is told to stop. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/output.h"

struct stream {
    long left; /* events to print; < 0: no end */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signum)
{
    (void)signum;
    interrupted = 1;
}

/* The reader has gone. */
static bool is_closed(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO};
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLNVAL));
}

static int print(void *data, const char *json, size_t len)
{
    struct stream *s = data;
    if (!json) {
        moil_output_flush();
        return interrupted || is_closed();
    }
    (void)len;
    moil_output_json_text(json, false);
    moil_output_flush();
    return (s->left > 0 && --s->left == 0) || interrupted || ferror(stdout);
}

static enum exit_status listen(const struct options *o, moil_client *client)
{
    struct stream s = {.left = o->limit > 0 ? o->limit : -1};
    moil_event_filter filter = {
        .types = o->types, .task = o->task, .queue = o->queue, .node = o->node};
    struct sigaction stop = {.sa_handler = on_signal};
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    int rc = moil_events(client, &filter, o->timeout > 0 ? o->timeout : -1, print, &s);
    if (rc == MOIL_STATUS_TIMEOUT) { /* as asked for */
        return STATUS_DONE;
    }
    return rc < 0 ? moil_connection_failed(client, rc, NULL) : STATUS_DONE;
}

enum exit_status moil_cmd_events(const struct options *o)
{
    moil_client *client;
    enum exit_status status = moil_check_operands(o, 0, 0, "nothing");
    if (status == STATUS_DONE) {
        status = moil_connection_open(o, &client);
    }
    if (status == STATUS_DONE) {
        status = listen(o, client);
        moil_client_close(client);
    }
    return status;
}
