/* hooks.c: what belongs to the process and to no object: version, error texts, and the hooks of the
 * embedding program (moil.h, "errors", "hooks"). */
#include "api/moil.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"

_Static_assert((int)MOIL_STATUS_OK == (int)MOIL_OK && (int)MOIL_STATUS_NOMEM == (int)MOIL_ENOMEM &&
                   (int)MOIL_STATUS_INVALID == (int)MOIL_EINVAL &&
                   (int)MOIL_STATUS_TOO_LARGE == (int)MOIL_ETOOLARGE &&
                   (int)MOIL_STATUS_UNAVAILABLE == (int)MOIL_EREDIS &&
                   (int)MOIL_STATUS_REPLY == (int)MOIL_EREPLY &&
                   (int)MOIL_STATUS_TIMEOUT == (int)MOIL_ETIMEOUT &&
                   (int)MOIL_STATUS_UNKNOWN == (int)MOIL_EUNKNOWN &&
                   (int)MOIL_STATUS_BAD_RECORD == (int)MOIL_EBADMSG &&
                   (int)MOIL_STATUS_SYSTEM == (int)MOIL_ESYS &&
                   (int)MOIL_STATUS_STATE == (int)MOIL_ESTATE &&
                   (int)MOIL_STATUS_CANCELLED == (int)MOIL_ECANCELLED,
               "the public codes are the internal ones");

_Static_assert((int)MOIL_LOG_DEBUG == (int)LOG_DEBUG && (int)MOIL_LOG_INFO == (int)LOG_INFO &&
                   (int)MOIL_LOG_WARNING == (int)LOG_WARNING &&
                   (int)MOIL_LOG_ERROR == (int)LOG_ERROR,
               "the public levels are the internal ones");

const char *moil_version(void)
{
    return MOIL_VERSION;
}

int moil_abi_version(void)
{
    return MOIL_ABI_VERSION;
}

const char *moil_status_text(int status)
{
    return moil_strerror(status);
}

const char *moil_status_name(int status)
{
    return moil_error_code(status);
}

void moil_free(void *p)
{
    moil_mem_free(p);
}

void moil_set_allocator(moil_realloc_fn *fn, void *data)
{
    moil_mem_set(fn, data);
}

void moil_set_clock(const moil_clock *clock)
{
    moil_clock_set(clock ? &(struct clock_source){clock->wall_us, clock->monotonic_us, clock->data}
                         : NULL);
}

/* --- the log: its sink has the internal level's type ------------------------------------------ */

/* Set before anything else, then only read. */
static struct {
    moil_log_fn *fn;
    void *data;
} log_hook;

static void tell_hook(void *data, enum log_level level, const char *line, size_t len)
{
    (void)data;
    log_hook.fn(log_hook.data, (enum moil_log_level)level, line, len);
}

void moil_set_log(moil_log_fn *fn, void *data)
{
    log_hook.fn = fn;
    log_hook.data = data;
    moil_log_set_sink(fn ? tell_hook : NULL, NULL);
}

void moil_set_log_level(enum moil_log_level level)
{
    moil_log_set_level((int)level);
}
