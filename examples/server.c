/* A server on one event loop (libev): it listens, and a worker in the same process does what it is
 * asked for. Each line is a call; its answer is a line, when the job is done. Nothing ever blocks.
 *
 *   build/moil dev tasks/text.lua                        in one terminal: for its Redis
 *   make examples; build/examples/server 7000 tasks      in another
 *   nc 127.0.0.1 7000                                    in a third: type  math.add [4, 4]
 *
 * Jobs go by way of Redis, so other workers take their share. INT and TERM end it when what runs is
 * done, the second time at once; HUP loads the tasks anew. With an installed moil, in a folder of
 * your own:
 *
 *   cc -o server server.c $(pkg-config --cflags --libs moil) -lev && ./server 7000 tasks
 */
#include <ev.h>
#include <moil.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CALLERS = 64, LINE_BYTES = 4096 };

static const double PATIENCE_S = 30, GRACE_S = 0.5;

/* A caller has one job at a time; its next lines wait here, and then in the socket. */
static struct caller {
    ev_io io;              /* io.fd 0: this place is free */
    moil_request *request; /* under way; NULL: none */
    char id[201];          /* of the job; "": none */
    char line[LINE_BYTES];
    size_t used;
} callers[CALLERS];

static struct ev_loop *loop;
static moil_async *client;
static moil_worker *worker;
static ev_io listener;

/* Nobody waits for the answer any more: the job is called off. */
static void hang_up(struct caller *c)
{
    if (c->request)
        moil_async_cancel(c->request); /* its callback comes now */
    if (c->id[0])
        moil_async_revoke(client, c->id, 1, NULL, NULL);
    ev_io_stop(loop, &c->io);
    close(c->io.fd);
    *c = (struct caller){.used = 0};
}

/* A caller that does not take its answers is hung up on. */
static void answer(struct caller *c, const char *state, const char *text)
{
    size_t size = strlen(state) + strlen(text) + 3;
    char *line = malloc(size);
    c->request = NULL;
    c->id[0] = '\0';
    ssize_t sent = -1;
    if (line && snprintf(line, size, "%s %s\n", state, text) > 0)
        sent = send(c->io.fd, line, size - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    free(line);
    if (sent != (ssize_t)size - 1)
        hang_up(c);
    else
        ev_feed_event(loop, &c->io, EV_CUSTOM); /* for its next line */
}

/* --- moil's callbacks: the request that they tell of is gone ---------------------------------- */

static void ended(void *data, int status, const char *error, const moil_result *result)
{
    struct caller *c = data;
    if (status == 0)
        answer(c, result->state, result->value);
    else if (status != MOIL_STATUS_CANCELLED)
        answer(c, "ERROR", error);
}

static void enqueued(void *data, int status, const char *error, const moil_enqueued *jobs,
                     size_t count)
{
    struct caller *c = data;
    (void)count;
    if (status == MOIL_STATUS_CANCELLED)
        return;
    c->request = NULL;
    if (status == 0) {
        snprintf(c->id, sizeof c->id, "%s", jobs->id);
        c->request = moil_async_wait(client, c->id, PATIENCE_S, NULL, ended, c);
        error = moil_async_error(client);
    }
    if (!c->request)
        answer(c, "ERROR", error);
}

/* --- callers ---------------------------------------------------------------------------------- */

/* Begins the job of the next line, where there is one and nothing is under way. */
static void begin(struct caller *c)
{
    char *end = c->request ? NULL : memchr(c->line, '\n', c->used);
    if (!end)
        return;
    *end = '\0';
    char *args = strchr(c->line, ' ');
    if (args)
        *args++ = '\0';
    const moil_job job = {.task = c->line, .args = args};
    c->request = moil_async_enqueue(client, &job, 1, enqueued, c); /* takes copies */
    c->used -= (size_t)(end + 1 - c->line);
    memmove(c->line, end + 1, c->used);
    if (!c->request)
        answer(c, "ERROR", moil_async_error(client));
}

static void serve(struct ev_loop *l, ev_io *io, int events)
{
    struct caller *c = io->data;
    (void)l;
    if (events & EV_READ) {
        ssize_t n = recv(io->fd, c->line + c->used, sizeof c->line - c->used, MSG_DONTWAIT);
        if (n <= 0) { /* it has gone, or it sends more than there is room for */
            hang_up(c);
            return;
        }
        c->used += (size_t)n;
    }
    begin(c);
}

static void welcome(struct ev_loop *l, ev_io *io, int events)
{
    int fd = accept(io->fd, NULL, NULL);
    (void)events;
    for (struct caller *c = callers; fd >= 0 && c < callers + CALLERS; c++) {
        if (c->io.fd == 0) {
            ev_io_init(&c->io, serve, fd, EV_READ);
            c->io.data = c;
            ev_io_start(l, &c->io);
            return;
        }
    }
    close(fd);
}

static int listen_on(const char *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, CALLERS) != 0)
        return -1;
    ev_io_init(&listener, welcome, fd, EV_READ);
    ev_io_start(loop, &listener);
    return 0;
}

/* --- the program ------------------------------------------------------------------------------ */

static void leave(int events, void *data)
{
    (void)events;
    (void)data;
    ev_break(loop, EVBREAK_ALL);
}

/* Answers that are on their way get a moment. */
static void stopped(void *data)
{
    ev_once(loop, -1, 0, GRACE_S, leave, data);
}

static void on_signal(struct ev_loop *l, ev_signal *signal, int events)
{
    static int stops;
    char why[512];
    (void)events;
    if (signal->signum != SIGHUP) {
        if (stops == 0) { /* nobody new */
            ev_io_stop(l, &listener);
            close(listener.fd);
        }
        moil_worker_stop(worker, stops++ > 0, stopped, NULL); /* the second time cold */
    } else if (moil_worker_reload(worker, why, sizeof why) != 0) {
        fprintf(stderr, "the tasks stay as they are: %s\n", why);
    }
}

int main(int argc, char **argv)
{
    const moil_worker_options options = {.paths = (const char *const *)argv + 2};
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    ev_signal signals[3];
    char why[512];
    int status = 1;
    if (argc < 3) {
        fprintf(stderr, "usage: %s PORT TASKS...\n", argv[0]);
        return 2;
    }
    loop = ev_default_loop(0);
    for (int i = 0; i < 3; i++) {
        ev_signal_init(&signals[i], on_signal, numbers[i]);
        ev_signal_start(loop, &signals[i]);
    }
    if (moil_worker_open(&worker, loop, &options, why, sizeof why) != 0 ||
        moil_async_open(&client, loop, NULL, why, sizeof why) != 0) {
        fprintf(stderr, "%s\n", why);
    } else if (listen_on(argv[1]) != 0) {
        perror(argv[1]);
    } else {
        fprintf(stderr, "listening on 127.0.0.1:%s\n", argv[1]);
        ev_run(loop, 0);
        status = 0;
    }
    for (struct caller *c = callers; c < callers + CALLERS; c++)
        if (c->io.fd)
            hang_up(c);
    moil_async_close(client);
    moil_worker_close(worker);
    ev_loop_destroy(loop);
    return status;
}
