/* crash_point.c: see crash_point.h. Empty but in test builds. */
#include "base/crash_point.h"

#ifdef MOIL_CRASH_POINTS

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATUS = 70 };

static struct {
    bool read;
    char name[64];
    long left; /* times to pass it before it goes off */
    char how[8];
} armed;

static void read_environment(void)
{
    const char *text = getenv("MOIL_CRASH_AT");
    armed.read = true;
    armed.left = 1;
    if (text)
        sscanf(text, "%63[^:]:%ld:%7s", armed.name, &armed.left, armed.how);
}

/* True for the first who asks, of all processes. */
static bool is_first(void)
{
    const char *mark = getenv("MOIL_CRASH_MARK");
    int fd = mark ? open(mark, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return false;
    dprintf(fd, "%d\n", (int)getpid());
    close(fd);
    return true;
}

void moil_crash_point(const char *name)
{
    if (!armed.read)
        read_environment();
    if (strcmp(name, armed.name) != 0 || --armed.left != 0 || !is_first())
        return;
    if (strcmp(armed.how, "exit") == 0)
        _exit(STATUS);
    kill(getpid(), strcmp(armed.how, "stop") == 0 ? SIGSTOP : SIGKILL);
}

#endif
