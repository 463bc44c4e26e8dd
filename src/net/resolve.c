/* resolve.c: see resolve.h. Loop and thread share a `struct resolve`; who lets go of it last frees
 * it. */
#include "net/resolve.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <ev.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

enum { STACK_BYTES = 512 * 1024 }; /* name service modules are generous with it */

struct resolve {
    atomic_int owners; /* the loop and the thread */
    int done_fd;       /* eventfd: `found` is the loop's from now on; -1: closed */
    struct ev_loop *loop;
    ev_io done;
    resolve_cb *cb;
    void *data;
    struct addresses found;
    char host[];
};

bool moil_resolve_is_address(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static void let_go(struct resolve *r)
{
    if (atomic_fetch_sub(&r->owners, 1) == 1) {
        if (r->done_fd >= 0)
            close(r->done_fd);
        moil_mem_free(r);
    }
}

static void add_all(struct addresses *found, const struct addrinfo *list)
{
    for (; list && found->count < MOIL_ADDRESSES_MAX; list = list->ai_next)
        if (getnameinfo(list->ai_addr, list->ai_addrlen, found->text[found->count],
                        MOIL_ADDRESS_LEN, NULL, 0, NI_NUMERICHOST) == 0)
            found->count++;
}

/* IPv6 only where there is no IPv4, as hiredis has it. */
static void look_up(const char *host, struct addresses *found)
{
    static const int families[] = {AF_INET, AF_INET6};
    int err = 0;
    for (size_t i = 0; i < 2 && found->count == 0; i++) {
        struct addrinfo hints = {.ai_family = families[i], .ai_socktype = SOCK_STREAM};
        struct addrinfo *list = NULL;
        int rc = getaddrinfo(host, NULL, &hints, &list);
        if (rc == 0) {
            add_all(found, list);
            freeaddrinfo(list);
        } else if (!err) {
            err = rc;
        }
    }
    snprintf(found->why, sizeof found->why, "%s", gai_strerror(err ? err : EAI_NONAME));
}

static void finish(struct resolve *r)
{
    look_up(r->host, &r->found);
    eventfd_write(r->done_fd, 1);
}

static void *run(void *data)
{
    struct resolve *r = data;
    finish(r);
    let_go(r);
    return NULL;
}

static void done_cb(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)events;
    struct resolve *r = watcher->data;
    eventfd_t written;
    if (eventfd_read(r->done_fd, &written) != 0)
        return;
    ev_io_stop(loop, watcher);
    close(r->done_fd); /* by the thread of its loop, which may look at it once more */
    r->done_fd = -1;
    r->cb(r->data, &r->found);
    let_go(r);
}

/* The code that the thread returns into must stay, also when a program that has loaded us as a
 * module takes us off. */
static void stay_loaded(void)
{
    static const char here;
    static atomic_bool pinned;
    Dl_info info;
    if (!atomic_exchange(&pinned, true) && dladdr(&here, &info) && info.dli_fname)
        dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

static int start_thread(struct resolve *r)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, old;
    stay_loaded();
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&thread, &attr, run, r);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    return rc;
}

struct resolve *moil_resolve_start(struct ev_loop *loop, const char *host, resolve_cb *cb,
                                   void *data)
{
    size_t len = strlen(host);
    struct resolve *r = moil_mem_zalloc(1, sizeof *r + len + 1);
    if (!r)
        return NULL;
    r->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->done_fd < 0) {
        moil_mem_free(r);
        return NULL;
    }
    memcpy(r->host, host, len);
    r->loop = loop;
    r->cb = cb;
    r->data = data;
    atomic_init(&r->owners, 2);
    ev_io_init(&r->done, done_cb, r->done_fd, EV_READ);
    r->done.data = r;
    ev_io_start(loop, &r->done);
    if (start_thread(r) != 0) { /* no thread is to be had: then it holds up the loop */
        atomic_store(&r->owners, 1);
        finish(r);
    }
    return r;
}

void moil_resolve_abandon(struct resolve *r)
{
    if (!r)
        return;
    ev_io_stop(r->loop, &r->done);
    let_go(r);
}
