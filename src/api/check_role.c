/* check_role.c: loads everything that a worker would load, in a process of its own, and says what
 * is there (roles.h). */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/roles.h"
#include "base/error.h"
#include "base/log.h"
#include "vm/vm.h"
#include "worker/host.h"
#include "worker/worker.h"

struct report {
    struct buffer *json;
    bool any;
};

static bool add_task(void *data, struct task *task)
{
    struct report *report = data;
    struct buffer *out = report->json;
    moil_buffer_add_str(out, report->any ? ",{\"name\":" : "{\"name\":");
    moil_buffer_add_json(out, task->name);
    moil_buffer_add_str(out, ",\"queue\":");
    moil_buffer_add_json(out, task->queue);
    moil_buffer_add_str(out, ",\"where\":");
    moil_buffer_add_json(out, slice_str(task->where));
    moil_buffer_add_char(out, '}');
    report->any = true;
    return true;
}

static void add_queues(const struct runtime *r, struct vm *vm, struct buffer *out)
{
    struct queue_set set;
    char errstr[256];
    if (moil_worker_queues(vm, r->options.queues, &set, errstr, sizeof errstr) != 0)
        return;
    for (size_t i = 0; i < set.count; i++) {
        if (i > 0)
            moil_buffer_add_char(out, ',');
        moil_buffer_add_json(out, set.names[i]);
    }
    moil_queues_fini(&set);
}

int moil_check_load(const struct runtime *r, struct buffer *json, char *errstr, size_t errlen)
{
    struct vm_host host = moil_host_of_check();
    struct vm *vm =
        moil_vm_new(&(struct vm_options){.lua_dir = r->options.lua_dir,
                                         .config_json = slice_str(r->options.config_json)},
                    &host, errstr, errlen);
    if (!vm)
        return MOIL_EINVAL;
    int err = 0;
    for (const char *const *path = r->options.paths; !err && *path; path++)
        err = moil_vm_load(vm, *path, errstr, errlen);
    if (!err) {
        struct report report = {.json = json};
        moil_buffer_add_str(json, "{\"tasks\":[");
        moil_vm_each_task(vm, add_task, &report);
        moil_buffer_add_str(json, "],\"queues\":[");
        add_queues(r, vm, json);
        moil_buffer_add_str(json, "]}");
    }
    moil_vm_free(vm);
    return err;
}

static int write_all(int fd, const struct buffer *text)
{
    for (size_t at = 0; at < text->len;) {
        ssize_t n = write(fd, text->data + at, text->len - at);
        if (n <= 0)
            return MOIL_EXIT_CHECK;
        at += (size_t)n;
    }
    return 0;
}

int moil_check_role(struct child_context *context)
{
    char errstr[512];
    struct buffer json;
    int status = MOIL_EXIT_CHECK;
    moil_buffer_init(&json);
    if (moil_check_load(context->data, &json, errstr, sizeof errstr) != 0)
        log_error("%s", errstr);
    else
        status = write_all(context->ready_fd, &json);
    moil_buffer_fini(&json);
    return status;
}
