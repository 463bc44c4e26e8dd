/* terminal.c: see terminal.h. Plain ANSI sequences, which every terminal of today obeys.
 *
 * Signals are blocked but for the moments of waiting, so that nothing but flags needs to be set in
 * their handlers. */
#include "cli/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/buffer.h"

enum { KEYS_MAX = 256, ESCAPE_MS = 50 }; /* a sequence may come in pieces */

#define OPEN  "\033[?1049h\033[?25l\033[?7l\033[H\033[J" /* other screen, no cursor, no wrapping */
#define CLOSE "\033[?7h\033[?25h\033[?1049l"

static struct {
    struct termios before;
    sigset_t usual;      /* the signal mask */
    struct buffer shown; /* the lines */
    char keys[KEYS_MAX]; /* read and not taken */
    size_t key_count;
    bool is_ours, stale; /* stale: nothing on the screen is what was drawn */
} terminal;

static volatile sig_atomic_t ended, stopped, resized;

static const int ends[] = {SIGINT,  SIGTERM, SIGHUP,    SIGQUIT, SIGUSR1, SIGUSR2,
                           SIGALRM, SIGABRT, SIGVTALRM, SIGPROF, SIGXCPU};

static void on_end(int sig)
{
    ended = sig;
}

static void on_stop(int sig)
{
    (void)sig;
    stopped = 1;
}

static void on_resize(int sig)
{
    (void)sig;
    resized = 1;
}

/* All of it, or as much as a terminal that is gone takes. */
static void put(const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, text, len);
        if (n < 0 && errno == EAGAIN) {
            poll(&(struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT}, 1, 1000);
        } else if (n < 0 && errno != EINTR) {
            ended = ended ? ended : SIGHUP;
            return;
        } else if (n > 0) {
            text += n;
            len -= (size_t)n;
        }
    }
}

bool moil_terminal_is_there(void)
{
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

/* --- taking and giving ------------------------------------------------------------------------ */

static int take(void)
{
    struct termios raw = terminal.before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | IEXTEN);
    raw.c_iflag &= ~(tcflag_t)(ICRNL | IXON);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) < 0) {
        return -1;
    }
    terminal.is_ours = true;
    terminal.stale = true;
    put(OPEN, sizeof OPEN - 1);
    return 0;
}

static void give(void)
{
    if (terminal.is_ours) {
        put(CLOSE, sizeof CLOSE - 1);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal.before);
        terminal.is_ours = false;
    }
}

static void handle(int sig, void (*fn)(int), sigset_t *blocked)
{
    struct sigaction action = {.sa_handler = fn};
    sigemptyset(&action.sa_mask);
    sigaction(sig, &action, NULL);
    sigaddset(blocked, sig);
}

int moil_terminal_begin(void)
{
    sigset_t blocked;
    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        handle(ends[i], on_end, &blocked);
    }
    handle(SIGTSTP, on_stop, &blocked);
    handle(SIGWINCH, on_resize, &blocked);
    signal(SIGTTOU, SIG_IGN); /* giving back what is not ours any more must not stop us */
    sigprocmask(SIG_BLOCK, &blocked, &terminal.usual);
    moil_buffer_init(&terminal.shown);
    return tcgetattr(STDIN_FILENO, &terminal.before) < 0 ? -1 : take();
}

void moil_terminal_end(void)
{
    give();
    moil_buffer_fini(&terminal.shown);
    if (ended && ended != SIGINT) {
        signal(ended, SIG_DFL);
        sigprocmask(SIG_SETMASK, &terminal.usual, NULL);
        raise(ended);
    }
}

/* ^Z: as if the program had never had the terminal; goes on when it is continued. */
static void stop(void)
{
    sigset_t tstp;
    stopped = 0;
    give();
    signal(SIGTSTP, SIG_DFL);
    sigemptyset(&tstp);
    sigaddset(&tstp, SIGTSTP);
    raise(SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &tstp, NULL); /* it stops here */
    handle(SIGTSTP, on_stop, &tstp);
    sigprocmask(SIG_BLOCK, &tstp, NULL);
    if (take() < 0) {
        ended = SIGHUP;
    }
}

void moil_terminal_size(size_t *rows, size_t *columns)
{
    struct winsize size;
    *rows = 24;
    *columns = 80;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
        *rows = size.ws_row;
        *columns = size.ws_col;
    }
}

/* --- keys ------------------------------------------------------------------------------------- */

static const struct {
    const char *bytes;
    int key;
} sequences[] = {
    {"\033[A", KEY_UP},   {"\033OA", KEY_UP},       {"\033[B", KEY_DOWN},
    {"\033OB", KEY_DOWN}, {"\033[5~", KEY_PAGE_UP}, {"\033[6~", KEY_PAGE_DOWN},
    {"\033[H", KEY_HOME}, {"\033[1~", KEY_HOME},    {"\033[F", KEY_END},
    {"\033[4~", KEY_END}, {"\033[Z", KEY_BACKTAB},
};

static void drop_keys(size_t n)
{
    memmove(terminal.keys, terminal.keys + n, terminal.key_count - n);
    terminal.key_count -= n;
}

/* How long the sequence at the beginning is, whatever it means; 0: more of it is to come. */
static size_t sequence_length(void)
{
    const char *k = terminal.keys;
    size_t n = terminal.key_count;
    if (n < 2) {
        return 0;
    }
    if (k[1] == 'O') {
        return n >= 3 ? 3 : 0;
    }
    if (k[1] != '[') {
        return 1;
    }
    for (size_t i = 2; i < n; i++) {
        if (k[i] >= 0x40 && k[i] <= 0x7e) {
            return i + 1;
        }
    }
    return 0;
}

/* KEY_NONE: what stood there means nothing. */
static int take_key(bool is_all)
{
    if (terminal.keys[0] != 27) {
        unsigned char c = (unsigned char)terminal.keys[0];
        drop_keys(1);
        return c == '\n' ? KEY_ENTER : c == '\b' ? KEY_DELETE : c;
    }
    size_t len = sequence_length();
    if (len <= 1) {
        drop_keys(is_all || len == 1 ? 1 : 0);
        return is_all || len == 1 ? KEY_ESCAPE : KEY_NONE;
    }
    int key = KEY_NONE;
    for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++) {
        if (strlen(sequences[i].bytes) == len &&
            memcmp(sequences[i].bytes, terminal.keys, len) == 0) {
            key = sequences[i].key;
        }
    }
    drop_keys(len);
    return key;
}

/* Waits for keys or a signal; true when keys came. */
static bool read_keys(double seconds)
{
    struct timespec wait = {.tv_sec = (time_t)seconds,
                            .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    if (ppoll(&in, 1, &wait, &terminal.usual) <= 0 || !in.revents) {
        return false;
    }
    ssize_t n = read(STDIN_FILENO, terminal.keys + terminal.key_count,
                     sizeof terminal.keys - terminal.key_count);
    if (n > 0) {
        terminal.key_count += (size_t)n;
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
        ended = ended ? ended : SIGHUP;
    }
    return n > 0;
}

int moil_terminal_wait(double seconds)
{
    if (terminal.key_count == 0) {
        read_keys(seconds);
    }
    if (stopped) {
        stop();
    }
    if (resized) {
        resized = 0;
        terminal.stale = true;
    }
    if (ended) {
        return KEY_CLOSED;
    }
    int key = KEY_NONE;
    if (terminal.key_count > 0 && (key = take_key(false)) == KEY_NONE && terminal.key_count > 0) {
        key = take_key(!read_keys(ESCAPE_MS / 1000.0));
    }
    return key;
}

/* --- drawing ---------------------------------------------------------------------------------- */

/* The line that begins at *p, without its newline; *p goes behind it. */
static struct slice next_line(const char **p, const char *end)
{
    const char *begin = *p;
    const char *newline = begin < end ? memchr(begin, '\n', (size_t)(end - begin)) : NULL;
    *p = newline ? newline + 1 : end;
    return slice_of(begin, (size_t)((newline ? newline : end) - begin));
}

void moil_terminal_draw(struct slice lines)
{
    struct buffer out;
    size_t rows, columns;
    const char *p = lines.p, *old = terminal.shown.data;
    const char *old_end = old ? old + terminal.shown.len : old;
    moil_terminal_size(&rows, &columns);
    moil_buffer_init(&out);
    if (terminal.stale) {
        moil_buffer_add_str(&out, "\033[H\033[J");
        old = old_end;
    }
    for (size_t row = 1; row <= rows; row++) {
        struct slice line = next_line(&p, lines.p + lines.n), before = next_line(&old, old_end);
        if (!slice_eq(line, before)) {
            moil_buffer_addf(&out, "\033[%zu;1H\033[K", row);
            moil_buffer_add_slice(&out, line);
        }
    }
    if (!out.failed) {
        put(out.data ? out.data : "", out.len);
        terminal.stale = false;
        moil_buffer_clear(&terminal.shown);
        moil_buffer_add_slice(&terminal.shown, lines);
    }
    moil_buffer_fini(&out);
}
