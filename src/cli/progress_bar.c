/* progress_bar.c: see progress_bar.h. */
#include "cli/progress_bar.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "cli/age.h"
#include "cli/chars.h"

enum {
    QUIET_US = 500000, /* what is over by then needs no bar */
    EVERY_US = 100000,
    BAR_CELLS = 24,
    COLUMNS_FALLBACK = 80,
};

void moil_progress_bar_init(struct progress_bar *bar, bool wanted)
{
    const char *term = getenv("TERM");
    bool obeys = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    *bar =
        (struct progress_bar){.wanted = wanted && obeys, .started_us = moil_clock_monotonic_us()};
}

/* What ends a program that a person waits for: the bar goes first, for the prompt that follows. */
static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static void on_end(int sig)
{
    static const char clear[] = "\r\033[K";
    ssize_t n = write(STDERR_FILENO, clear, sizeof clear - 1);
    (void)n;
    signal(sig, SIG_DFL);
    raise(sig); /* comes when this returns */
}

/* A signal that the command handles itself, or that is ignored, stays so. */
static void swap_handlers(void (*from)(int), void (*to)(int))
{
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct sigaction is, shall = {.sa_handler = to, .sa_flags = SA_RESTART};
        if (sigaction(ends[i], NULL, &is) == 0 && is.sa_handler == from) {
            sigaction(ends[i], &shall, NULL);
        }
    }
}

static size_t columns(void)
{
    struct winsize size;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : COLUMNS_FALLBACK;
}

/* "[#####.....]  52%" or "/" */
static void add_mark(struct buffer *line, const struct progress_bar *bar, double done, double total)
{
    double share = total > 0 ? done / total : 0;
    share = share > 1 ? 1 : share >= 0 ? share : 0;
    int full = (int)(share * BAR_CELLS);
    if (!(total > 0)) {
        moil_buffer_add_char(line, "|/-\\"[bar->turn % 4]);
        return;
    }
    moil_buffer_add_char(line, '[');
    for (int i = 0; i < BAR_CELLS; i++) {
        moil_buffer_add_char(line, i < full ? '#' : '.');
    }
    moil_buffer_addf(line, "] %3d%%", (int)(share * 100));
}

void moil_progress_bar_draw(struct progress_bar *bar, double done, double total, const char *text)
{
    int64_t now_us = moil_clock_monotonic_us();
    struct buffer line;
    if (!bar->wanted || now_us - bar->started_us < QUIET_US ||
        (bar->is_shown && now_us - bar->written_us < EVERY_US)) {
        return;
    }
    swap_handlers(SIG_DFL, on_end);
    moil_buffer_init(&line);
    add_mark(&line, bar, done, total);
    moil_buffer_add_str(&line, "  ");
    moil_age_add(&line, (double)(now_us - bar->started_us) / 1e6);
    moil_buffer_addf(&line, "  %s", text);
    size_t len = moil_chars_bytes(moil_buffer_cstr(&line), line.len, columns() - 1);
    fprintf(stderr, "\r%.*s\033[K", (int)len, moil_buffer_cstr(&line));
    fflush(stderr);
    moil_buffer_fini(&line);
    bar->is_shown = true;
    bar->written_us = now_us;
    bar->turn++;
}

void moil_progress_bar_clear(struct progress_bar *bar)
{
    if (bar->is_shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        bar->is_shown = false;
        swap_handlers(on_end, SIG_DFL);
    }
}
