/* role.c: what the worker's and the agent's process share: how such a process begins, learns of
 * signals and says that it is ready (roles.h). */
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "api/locate.h"
#include "api/roles.h"
#include "base/log.h"

int moil_role_begin(const struct runtime *r, const char *title, struct url *url)
{
    char errstr[256];
    *url = r->url;
    if (url->kind == URL_EMBEDDED &&
        moil_locate_embedded(r->url.path, url, errstr, sizeof errstr) != 0) {
        log_error("%s", errstr);
        return MOIL_EXIT_USAGE;
    }
    prctl(PR_SET_NAME, title); /* what ps and top show */
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

void moil_role_watch(struct ev_loop *loop, struct role_signals *s, const int *numbers,
                     role_signal_cb *cb, void *data)
{
    for (size_t i = 0; i < sizeof s->watchers / sizeof s->watchers[0] && numbers[i]; i++) {
        ev_signal_init(&s->watchers[i], cb, numbers[i]);
        s->watchers[i].data = data;
        ev_signal_start(loop, &s->watchers[i]);
    }
}

void moil_role_ready(const struct child_context *context)
{
    if (write(context->ready_fd, "R", 1) != 1)
        log_warning("the supervisor is gone");
}
