/* tls.c: see tls.h. */
#include "net/tls.h"

#include <stdio.h>

#include "base/error.h"

#ifdef MOIL_TLS

#include <dlfcn.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <pthread.h>

#define STRINGIFY(x) #x
#define SONAME(x)    "libhiredis_ssl.so." STRINGIFY(x)

typedef redisSSLContext *create_fn(const char *, const char *, const char *, const char *,
                                   const char *, redisSSLContextError *);
typedef int initiate_fn(redisContext *, redisSSLContext *);

static struct {
    create_fn *create;
    initiate_fn *initiate;
    redisSSLContext *context; /* one for the process, made at the first use, never changed after */
} tls;

static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER; /* links of several threads may come */

static int load_once(char *why, size_t len)
{
    if (tls.context)
        return 0;
    void *lib = dlopen("libhiredis_ssl.so", RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        lib = dlopen(SONAME(HIREDIS_SSL_SONAME), RTLD_NOW | RTLD_LOCAL);
    if (!lib) {
        snprintf(why, len, "TLS needs libhiredis_ssl: %s", dlerror());
        return MOIL_EINVAL;
    }
    int (*init)(void) = (int (*)(void))dlsym(lib, "redisInitOpenSSL");
    tls.create = (create_fn *)dlsym(lib, "redisCreateSSLContext");
    tls.initiate = (initiate_fn *)dlsym(lib, "redisInitiateSSLWithContext");
    if (!init || !tls.create || !tls.initiate) {
        snprintf(why, len, "this libhiredis_ssl lacks a function that moil needs");
        return MOIL_EINVAL;
    }
    init();
    redisSSLContextError err = REDIS_SSL_CTX_NONE;
    tls.context = tls.create(NULL, "/etc/ssl/certs", NULL, NULL, NULL, &err);
    if (!tls.context) {
        snprintf(why, len, "TLS could not be set up (error %d)", (int)err);
        return MOIL_EINVAL;
    }
    return 0;
}

static int load(char *why, size_t len)
{
    pthread_mutex_lock(&loading);
    int err = load_once(why, len);
    pthread_mutex_unlock(&loading);
    return err;
}

int moil_tls_start(struct redisAsyncContext *ac, const struct url *url, char *why, size_t len)
{
    (void)url;
    int err = load(why, len);
    if (err)
        return err;
    if (tls.initiate(&ac->c, tls.context) != REDIS_OK) {
        snprintf(why, len, "%s", ac->c.errstr);
        return MOIL_EINVAL;
    }
    return 0;
}

#else

int moil_tls_start(struct redisAsyncContext *ac, const struct url *url, char *why, size_t len)
{
    (void)ac;
    (void)url;
    snprintf(why, len,
             "this build has no TLS (hiredis_ssl was not found): use redis:// or unix://");
    return MOIL_EINVAL;
}

#endif
