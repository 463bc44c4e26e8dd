/* locate.c: see locate.h. */
#include "api/locate.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "super/embedded.h"

#define EMBEDDED_DIR ".moil"

static const char *default_url(void)
{
    const char *env = getenv("MOIL_REDIS");
    if (env && *env)
        return env;
    return access(EMBEDDED_DIR "/redis.sock", F_OK) == 0 ? "embedded" : "redis://127.0.0.1:6379/0";
}

int moil_locate_embedded(const char *dir, struct url *out, char *errstr, size_t errlen)
{
    struct url socket = {.kind = URL_UNIX};
    if (moil_embedded_socket(dir, socket.path, sizeof socket.path) != 0) {
        snprintf(errstr, errlen,
                 "no embedded server's folder at %.200s: start `moil worker --redis embedded` "
                 "there first",
                 dir);
        return MOIL_EINVAL;
    }
    *out = socket;
    return 0;
}

int moil_locate(const char *text, bool attach, struct url *out, char *errstr, size_t errlen)
{
    int err = moil_url_parse(text && *text ? text : default_url(), out, errstr, errlen);
    if (err || out->kind != URL_EMBEDDED)
        return err;
    if (!out->path[0])
        snprintf(out->path, sizeof out->path, "%s", EMBEDDED_DIR);
    char dir[sizeof out->path];
    snprintf(dir, sizeof dir, "%s", out->path);
    return attach ? moil_locate_embedded(dir, out, errstr, errlen) : 0;
}
