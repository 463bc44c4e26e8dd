/* json_dump.c: see json_dump.h. */
#include "base/json_dump.h"

#include "base/buffer.h"

static int append(const char *bytes, size_t size, void *data)
{
    struct buffer *b = data;
    moil_buffer_add(b, bytes, size);
    return b->failed ? -1 : 0;
}

char *moil_json_dump(const json_t *value, size_t flags)
{
    struct buffer text;
    moil_buffer_init(&text);
    int err = value ? json_dump_callback(value, append, &text, flags) : -1;
    char *taken = err ? NULL : moil_buffer_take(&text, NULL);
    moil_buffer_fini(&text);
    return taken;
}
