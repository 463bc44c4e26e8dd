/* keys.c: see keys.h. */
#include "queue/keys.h"

#include <string.h>

#include "base/error.h"

int moil_keys_init(struct keys *k, const char *ns)
{
    size_t n = strlen(ns);
    if (n == 0 || n > MOIL_NAMESPACE_MAX)
        return MOIL_EINVAL;
    for (size_t i = 0; i < n; i++)
        if (ns[i] <= ' ' || ns[i] >= 127 || ns[i] == '{' || ns[i] == '}')
            return MOIL_EINVAL;
    k->prefix[0] = '{';
    memcpy(k->prefix + 1, ns, n);
    memcpy(k->prefix + 1 + n, "}:", 3);
    k->prefix_len = n + 3;
    return 0;
}

static void join(const struct keys *k, const char *kind, struct slice name, struct buffer *out)
{
    moil_buffer_add_slice(out, moil_keys_prefix(k));
    moil_buffer_add_str(out, kind);
    moil_buffer_add_slice(out, name);
}

void moil_keys_wake(const struct keys *k, struct slice queue, struct buffer *out)
{
    join(k, "wake:", queue, out);
}

void moil_keys_inbox(const struct keys *k, struct slice owner, struct buffer *out)
{
    join(k, "inbox:", owner, out);
}

void moil_keys_tick(const struct keys *k, struct buffer *out)
{
    join(k, "tick", slice_of("", 0), out);
}

void moil_keys_control(const struct keys *k, struct slice node, struct buffer *out)
{
    join(k, "control:", node, out);
}
