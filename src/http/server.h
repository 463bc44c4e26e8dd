/* A small HTTP server on a libev loop: answers GET and HEAD, one request a connection, from memory.
 *
 * By libmicrohttpd, which is opened when the first server is made: who makes none pays nothing.
 * Bounded: HTTP_CONNECTIONS_MAX at a time (more wait in the listener's queue), 16 KB of a request's
 * head, 10 s from the connection's first byte to its end, whoever is slow. No threads. Used by
 * worker/; knows nothing of what is served. */
#ifndef MOIL_HTTP_SERVER_H
#define MOIL_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

enum { HTTP_CONNECTIONS_MAX = 64 };

struct ev_loop;
struct http_server;

struct http_answer {
    int status;
    const char *type; /* of the body; a literal */
    struct buffer body;
};

enum http_verdict {
    HTTP_ANSWERED,
    HTTP_LATER, /* the handler is asked again after moil_http_go_on */
};

/* Fills *answer for a path ("/metrics"; what follows a "?" is not in it). */
typedef enum http_verdict http_handler(void *data, const char *path, struct http_answer *answer);

/* Serves what comes in on the listener (borrowed). 0; or MOIL_EINVAL (the library is missing),
 * MOIL_ENOMEM or MOIL_ESYS, with one line in errstr. The loop is borrowed. */
int moil_http_new(struct http_server **out, struct ev_loop *loop, int listener, http_handler *fn,
                  void *data, char *errstr, size_t errlen);
void moil_http_free(struct http_server *s); /* NULL is fine */

/* Those who were told to come later are asked again, from the loop. */
void moil_http_go_on(struct http_server *s);

#endif
