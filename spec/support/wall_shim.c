/* A wall clock that a spec sets: preloaded into a moil process, it adds to CLOCK_REALTIME what the
 * file named by MOIL_SPEC_WALL says (8 bytes: microseconds, in the machine's own order), at once.
 * The monotonic clock is left alone. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t step_us(void)
{
    static volatile int64_t *shared;
    if (!shared) {
        const char *path = getenv("MOIL_SPEC_WALL");
        int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *shared, PROT_READ, MAP_SHARED, fd, 0);
        static const int64_t none;
        shared = p == MAP_FAILED ? (volatile int64_t *)(uintptr_t)&none : p;
        if (fd >= 0)
            close(fd);
    }
    return *shared;
}

static void shift(struct timespec *t)
{
    int64_t us = (int64_t)t->tv_sec * 1000000 + t->tv_nsec / 1000 + step_us();
    t->tv_sec = us / 1000000;
    t->tv_nsec = us % 1000000 * 1000;
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *t)
{
    long failed = syscall(SYS_clock_gettime, clock, t);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        shift(t);
    return (int)failed;
}

__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict t,
                                                        void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    t->tv_sec = now.tv_sec;
    t->tv_usec = now.tv_nsec / 1000;
    return 0;
}

__attribute__((visibility("default"))) time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}
