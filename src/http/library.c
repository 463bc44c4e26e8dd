/* library.c: see library.h. The name is that of Debian 12 and 13 alike. */
#ifdef MOIL_HTTP

#include "http/library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SONAME "libmicrohttpd.so.12"

static struct http_library library; /* found once, never changed after */

static const struct {
    const char *name;
    size_t offset;
} functions[] = {
    {"MHD_start_daemon", offsetof(struct http_library, start)},
    {"MHD_stop_daemon", offsetof(struct http_library, stop)},
    {"MHD_run", offsetof(struct http_library, run)},
    {"MHD_get_timeout", offsetof(struct http_library, get_timeout)},
    {"MHD_get_daemon_info", offsetof(struct http_library, daemon_info)},
    {"MHD_get_connection_info", offsetof(struct http_library, connection_info)},
    {"MHD_create_response_from_buffer", offsetof(struct http_library, new_response)},
    {"MHD_destroy_response", offsetof(struct http_library, free_response)},
    {"MHD_add_response_header", offsetof(struct http_library, add_header)},
    {"MHD_queue_response", offsetof(struct http_library, queue)},
    {"MHD_suspend_connection", offsetof(struct http_library, suspend)},
    {"MHD_resume_connection", offsetof(struct http_library, resume)},
};

const struct http_library *moil_http_library(char *errstr, size_t errlen)
{
    if (library.start)
        return &library;
    struct http_library found;
    void *handle = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        snprintf(errstr, errlen,
                 "--http needs libmicrohttpd (%s): install it, on Debian the package "
                 "libmicrohttpd12 (13: libmicrohttpd12t64), or start without --http",
                 dlerror());
        return NULL;
    }
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *symbol = dlsym(handle, functions[i].name);
        if (!symbol) {
            snprintf(errstr, errlen, "--http: this libmicrohttpd is too old: it lacks %s",
                     functions[i].name);
            dlclose(handle);
            return NULL;
        }
        memcpy((char *)&found + functions[i].offset, &symbol, sizeof symbol);
    }
    library = found;
    return &library;
}

#else

typedef int moil_no_http; /* a file of C is never empty */

#endif
