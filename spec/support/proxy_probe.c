/* A TCP proxy before a Redis that does what networks do: what spec/faults/ breaks links with.
 * Built as build/spec/proxy_probe.
 *
 *   proxy_probe TARGET CONTROL     both are unix sockets; says "port N", where it listens
 *
 * Commands come over CONTROL as a Redis client sends them, each is answered with a status:
 *
 *   forward        everything passes again, what was held first; listens again
 *   blackhole      nothing passes, either way; connecting works, as the kernel does that
 *   mute TEXT      from the next request on that holds the text, that connection's replies are held
 *   drop [TEXT]    connections that are there now are dead from now on, and nobody is told: a
 *                  router that forgot them. TEXT: only those whose last request held it.
 *                  Answers how many
 *   reset [TEXT]   the same ones are reset
 *   refuse         stops listening, resets all
 *   delay MS       each piece takes that long, each way
 *   cut N          after N more bytes of replies the connection that carried them is reset
 *   target PATH    new connections go there */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

enum { CONNS_MAX = 250, CONTROLS_MAX = 4, HALF_BYTES = 1 << 16, WORDS_MAX = 3 };

/* One direction: what was read and is not written yet. */
struct half {
    char bytes[HALF_BYTES];
    size_t len;
    int64_t due_us;
    bool ended; /* the side that it is read from has closed */
};

struct conn {
    int client, server; /* -1: closed */
    bool dropped, muted;
    struct half up, down;
    char last[HALF_BYTES]; /* the last request read, with a script's text before it */
    size_t last_len;
};

static struct {
    int listener, port; /* listener -1: refuses */
    int control;
    int controls[CONTROLS_MAX];
    struct conn *conns[CONNS_MAX];
    char target[108];
    bool hold;      /* black hole */
    char mute[100]; /* "": none */
    int64_t delay_us;
    long cut; /* bytes of replies left; -1: no cut */
} proxy = {.listener = -1, .cut = -1};

/* --- sockets ---------------------------------------------------------------------------------- */

static struct sockaddr_un unix_address(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return address;
}

static bool listen_tcp(void)
{
    int one = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)proxy.port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 100) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        close(fd);
        return false;
    }
    proxy.port = ntohs(address.sin_port);
    proxy.listener = fd;
    return true;
}

static void end_reset(int fd)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
}

static void conn_free(struct conn **place, bool with_reset)
{
    struct conn *c = *place;
    if (c->client >= 0 && with_reset)
        end_reset(c->client);
    else if (c->client >= 0)
        close(c->client);
    if (c->server >= 0)
        close(c->server);
    free(c);
    *place = NULL;
}

static void accept_client(void)
{
    int client = accept4(proxy.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct conn **place = proxy.conns;
    while (place < proxy.conns + CONNS_MAX && *place)
        place++;
    struct sockaddr_un address = unix_address(proxy.target);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct conn *c = calloc(1, sizeof *c);
    if (client < 0 || server < 0 || !c || place == proxy.conns + CONNS_MAX ||
        connect(server, (struct sockaddr *)&address, sizeof address) != 0) {
        if (client >= 0)
            end_reset(client);
        if (server >= 0)
            close(server);
        free(c);
        return;
    }
    fcntl(server, F_SETFL, O_NONBLOCK);
    c->client = client;
    c->server = server;
    *place = c;
}

/* --- what passes ------------------------------------------------------------------------------ */

static void take_in(struct conn *c, struct half *h, int fd)
{
    ssize_t n = read(fd, h->bytes + h->len, sizeof h->bytes - h->len);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        h->ended = true;
        return;
    }
    if (h->len == 0)
        h->due_us = moil_clock_monotonic_us() + proxy.delay_us;
    if (h == &c->up) {
        c->last_len = (size_t)n;
        memcpy(c->last, h->bytes + h->len, c->last_len);
        if (proxy.mute[0] && memmem(c->last, c->last_len, proxy.mute, strlen(proxy.mute)))
            c->muted = true;
    }
    h->len += (size_t)n;
}

/* False when the connection has reached its cut. */
static bool give_out(struct conn *c, struct half *h, int fd)
{
    size_t most = h->len;
    bool cuts = h == &c->down && proxy.cut >= 0 && most >= (size_t)proxy.cut;
    if (cuts)
        most = (size_t)proxy.cut;
    ssize_t n = most ? write(fd, h->bytes, most) : 0;
    if (n < 0) {
        h->ended = h->ended || errno != EAGAIN;
        h->len = errno == EAGAIN ? h->len : 0;
        return true;
    }
    if (h == &c->down && proxy.cut >= 0)
        proxy.cut -= n;
    memmove(h->bytes, h->bytes + n, h->len - (size_t)n);
    h->len -= (size_t)n;
    if (!cuts || proxy.cut > 0)
        return true;
    proxy.cut = -1;
    return false;
}

static bool is_due(const struct half *h, bool held)
{
    return h->len > 0 && !held && moil_clock_monotonic_us() >= h->due_us;
}

/* Its replies are. */
static bool is_held(const struct conn *c)
{
    return proxy.hold || c->muted;
}

static short wants_of(const struct half *in, const struct half *out, bool in_held, bool out_held)
{
    short events = 0;
    if (!in_held && !in->ended && in->len < sizeof in->bytes)
        events |= POLLIN;
    if (is_due(out, out_held))
        events |= POLLOUT;
    return events;
}

static void serve_dropped(struct conn **place)
{
    char waste[4096];
    ssize_t n = read((*place)->client, waste, sizeof waste);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        close((*place)->client); /* the server does not hear of it */
        (*place)->client = -1;
    }
}

static void serve_conn(struct conn **place, short client_events, short server_events)
{
    struct conn *c = *place;
    const short in = POLLIN | POLLHUP | POLLERR;
    if (c->dropped) {
        if (client_events)
            serve_dropped(place);
        return;
    }
    if ((client_events & in) && !proxy.hold && !c->up.ended)
        take_in(c, &c->up, c->client);
    if ((server_events & in) && !is_held(c) && !c->down.ended)
        take_in(c, &c->down, c->server);
    if (is_due(&c->up, proxy.hold))
        give_out(c, &c->up, c->server);
    if (is_due(&c->down, is_held(c)) && !give_out(c, &c->down, c->client)) {
        conn_free(place, true);
        return;
    }
    if ((c->up.ended && !c->up.len) || (c->down.ended && !c->down.len))
        conn_free(place, false);
}

/* --- control ---------------------------------------------------------------------------------- */

static int each_conn(const char *text, bool with_reset)
{
    int count = 0;
    for (struct conn **place = proxy.conns; place < proxy.conns + CONNS_MAX; place++) {
        struct conn *c = *place;
        if (!c || c->dropped || (text && !memmem(c->last, c->last_len, text, strlen(text))))
            continue;
        count++;
        c->dropped = true;
        if (with_reset)
            conn_free(place, true);
    }
    return count;
}

static int forward(void)
{
    proxy.hold = false;
    proxy.mute[0] = '\0';
    proxy.delay_us = 0;
    for (int i = 0; i < CONNS_MAX; i++)
        if (proxy.conns[i])
            proxy.conns[i]->muted = false;
    return proxy.listener < 0 && !listen_tcp() ? -1 : 0;
}

static int obey(const char *word, const char *argument)
{
    const char *text = argument[0] ? argument : NULL;
    if (strcmp(word, "forward") == 0)
        return forward();
    if (strcmp(word, "drop") == 0)
        return each_conn(text, false);
    if (strcmp(word, "reset") == 0)
        return each_conn(text, true);
    if (strcmp(word, "refuse") == 0) {
        if (proxy.listener >= 0)
            close(proxy.listener);
        proxy.listener = -1;
        return each_conn(NULL, true);
    }
    if (strcmp(word, "blackhole") == 0)
        proxy.hold = true;
    else if (strcmp(word, "mute") == 0)
        snprintf(proxy.mute, sizeof proxy.mute, "%s", argument);
    else if (strcmp(word, "delay") == 0)
        proxy.delay_us = atol(argument) * 1000;
    else if (strcmp(word, "cut") == 0)
        proxy.cut = atol(argument);
    else if (strcmp(word, "target") == 0)
        snprintf(proxy.target, sizeof proxy.target, "%s", argument);
    else
        return -1;
    return 0;
}

/* "*2\r\n$4\r\ndrop\r\n$5\r\nBLPOP\r\n": the lines that begin with neither * nor $. */
static void serve_control(int *fd)
{
    static char none[1];
    char text[1024], answer[32], *words[WORDS_MAX] = {none, none, none}, *rest = text, *line;
    ssize_t n = read(*fd, text, sizeof text - 1);
    if (n <= 0) {
        close(*fd);
        *fd = -1;
        return;
    }
    text[n] = '\0';
    for (int count = 0; (line = strsep(&rest, "\r\n")) && count < WORDS_MAX;)
        if (line[0] && line[0] != '*' && line[0] != '$')
            words[count++] = line;
    int result = obey(words[0], words[1]);
    int len = snprintf(answer, sizeof answer, result < 0 ? "-ERR\r\n" : ":%d\r\n", result);
    if (write(*fd, answer, (size_t)len) != len)
        fprintf(stderr, "the control connection is gone\n");
}

static void accept_control(void)
{
    int fd = accept4(proxy.control, NULL, NULL, SOCK_CLOEXEC);
    for (int i = 0; i < CONTROLS_MAX; i++) {
        if (proxy.controls[i] < 0) {
            proxy.controls[i] = fd;
            return;
        }
    }
    close(fd);
}

/* --- the loop --------------------------------------------------------------------------------- */

enum { AT_CONTROLS = 2, AT_CONNS = AT_CONTROLS + CONTROLS_MAX };

static void fill(struct pollfd *fds)
{
    fds[0] = (struct pollfd){.fd = proxy.control, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = proxy.listener, .events = POLLIN};
    for (int i = 0; i < CONTROLS_MAX; i++)
        fds[AT_CONTROLS + i] = (struct pollfd){.fd = proxy.controls[i], .events = POLLIN};
    for (int i = 0; i < CONNS_MAX; i++) {
        const struct conn *c = proxy.conns[i];
        struct pollfd *client = fds + AT_CONNS + 2 * i, *server = client + 1;
        *client = *server = (struct pollfd){.fd = -1};
        if (c && c->dropped) {
            *client = (struct pollfd){.fd = c->client, .events = POLLIN};
        } else if (c) {
            short at_client = wants_of(&c->up, &c->down, proxy.hold, is_held(c));
            short at_server = wants_of(&c->down, &c->up, is_held(c), proxy.hold);
            /* Held: a hang-up is not looked at either. */
            *client = (struct pollfd){.fd = at_client ? c->client : -1, .events = at_client};
            *server = (struct pollfd){.fd = at_server ? c->server : -1, .events = at_server};
        }
    }
}

static void turn(void)
{
    static struct pollfd fds[AT_CONNS + 2 * CONNS_MAX];
    fill(fds);
    /* Delays are met to 2 ms. */
    if (poll(fds, AT_CONNS + 2 * CONNS_MAX, proxy.delay_us ? 2 : 1000) < 0)
        return;
    for (int i = 0; i < CONNS_MAX; i++)
        if (proxy.conns[i])
            serve_conn(&proxy.conns[i], fds[AT_CONNS + 2 * i].revents,
                       fds[AT_CONNS + 2 * i + 1].revents);
    if (fds[1].revents)
        accept_client();
    for (int i = 0; i < CONTROLS_MAX; i++)
        if (proxy.controls[i] >= 0 && fds[AT_CONTROLS + i].revents)
            serve_control(&proxy.controls[i]);
    if (fds[0].revents)
        accept_control();
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    snprintf(proxy.target, sizeof proxy.target, "%s", argv[1]);
    struct sockaddr_un address = unix_address(argv[2]);
    proxy.control = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (int i = 0; i < CONTROLS_MAX; i++)
        proxy.controls[i] = -1;
    if (bind(proxy.control, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(proxy.control, 4) != 0 || !listen_tcp())
        return 1;
    printf("port %d\n", proxy.port);
    fflush(stdout);
    for (;;)
        turn();
}
