/* slicer.c: see slicer.h. The signal goes to the thread that runs the jobs, which is not the main
 * one in every program: another one would meet Lua states in the middle of a change. SA_RESTART, so
 * that a job's blocking read goes on; libev copes with EINTR of its poll. */
#include "worker/slicer.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "vm/vm.h"
#include "worker/page.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum {
    TICK_MS = 5,     /* half a slice: a turn takes 10 to 15 ms */
    QUIET_TICKS = 4, /* without a job that began, and the timer stops */
};

static struct {
    struct vm *volatile vm;
    const struct page *volatile page;
    volatile sig_atomic_t quiet_ticks;
    timer_t timer;
    struct sigaction before; /* what SIGALRM did … */
    bool was_blocked;        /* … in the jobs' thread, too */
    bool made, running;
} slicer;

static void tick(int signum)
{
    (void)signum;
    slicer.quiet_ticks++;
    if (!slicer.vm)
        return;
    uint64_t turn = atomic_load(&slicer.page->terminate);
    if (turn && turn == atomic_load(&slicer.page->turn))
        moil_vm_revoke(slicer.vm);
    moil_vm_tick(slicer.vm);
}

static void set(long ms)
{
    struct itimerspec spec = {
        .it_value.tv_nsec = ms * 1000000,
        .it_interval.tv_nsec = ms * 1000000,
    };
    timer_settime(slicer.timer, 0, &spec, NULL);
    slicer.running = ms > 0;
}

/* Returns what it was. */
static bool block_signal(bool block)
{
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    pthread_sigmask(block ? SIG_BLOCK : SIG_UNBLOCK, &set, &before);
    return sigismember(&before, SIGALRM) == 1;
}

static bool make(void)
{
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM};
    event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
    sigaction(SIGALRM, &action, &slicer.before);
    if (timer_create(CLOCK_MONOTONIC, &event, &slicer.timer) != 0) {
        sigaction(SIGALRM, &slicer.before, NULL);
        log_error("no timer is to be had: time limits do not hold for jobs on the CPU");
        return false;
    }
    slicer.was_blocked = block_signal(false);
    return true;
}

void moil_slicer_begin(struct vm *vm, const struct page *page)
{
    slicer.page = page;
    slicer.vm = vm;
    slicer.quiet_ticks = 0;
    if (!slicer.made)
        slicer.made = make();
    if (slicer.made && !slicer.running)
        set(TICK_MS);
}

void moil_slicer_turn(void)
{
    if (slicer.running && slicer.quiet_ticks > QUIET_TICKS)
        set(0);
}

void moil_slicer_end(void)
{
    if (slicer.made) {
        timer_delete(slicer.timer);
        if (slicer.was_blocked)
            block_signal(true);
        sigaction(SIGALRM, &slicer.before, NULL);
    }
    memset(&slicer, 0, sizeof slicer);
}
