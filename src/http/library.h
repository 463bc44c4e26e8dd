/* libmicrohttpd's functions, found when first needed. Used by server.c alone. */
#ifndef MOIL_HTTP_LIBRARY_H
#define MOIL_HTTP_LIBRARY_H

#include <microhttpd.h>
#include <stddef.h>

struct http_library {
    struct MHD_Daemon *(*start)(unsigned flags, uint16_t port, MHD_AcceptPolicyCallback policy,
                                void *policy_data, MHD_AccessHandlerCallback handler, void *data,
                                ...);
    void (*stop)(struct MHD_Daemon *daemon);
    enum MHD_Result (*run)(struct MHD_Daemon *daemon);
    enum MHD_Result (*get_timeout)(struct MHD_Daemon *daemon, MHD_UNSIGNED_LONG_LONG *ms);
    const union MHD_DaemonInfo *(*daemon_info)(struct MHD_Daemon *daemon,
                                               enum MHD_DaemonInfoType type, ...);
    const union MHD_ConnectionInfo *(*connection_info)(struct MHD_Connection *connection,
                                                       enum MHD_ConnectionInfoType type, ...);
    struct MHD_Response *(*new_response)(size_t size, void *bytes, enum MHD_ResponseMemoryMode);
    void (*free_response)(struct MHD_Response *response);
    enum MHD_Result (*add_header)(struct MHD_Response *response, const char *name,
                                  const char *value);
    enum MHD_Result (*queue)(struct MHD_Connection *connection, unsigned status,
                             struct MHD_Response *response);
    void (*suspend)(struct MHD_Connection *connection);
    void (*resume)(struct MHD_Connection *connection);
};

/* Borrowed for the process's life; NULL with one line in errstr where the library is missing. */
const struct http_library *moil_http_library(char *errstr, size_t errlen);

#endif
