/* Writing to stdout. SIGPIPE is ignored by main.c, so a closed pipe shows as EPIPE here. */
#include "cli/output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/complaint.h"
#include "cli/json_text.h"

enum { WIDTH_FALLBACK = 80 };

size_t moil_output_width(void)
{
    struct winsize size;
    if (!isatty(STDOUT_FILENO)) {
        return 0;
    }
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return WIDTH_FALLBACK;
}

static enum output_colours colours;

void moil_output_choose_colours(enum output_colours choice)
{
    colours = choice;
}

bool moil_output_has_colours(void)
{
    if (colours != COLOURS_AUTO) {
        return colours == COLOURS_ALWAYS;
    }
    const char *off = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(off && off[0]) && term && strcmp(term, "dumb") != 0;
}

static void print_compact(struct slice text)
{
    struct buffer line;
    moil_buffer_init(&line);
    moil_json_add_compact(&line, text);
    fwrite(moil_buffer_cstr(&line), 1, line.len, stdout);
    putchar('\n');
    moil_buffer_fini(&line);
}

void moil_output_json(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    print_compact(slice_str(text ? text : "null"));
    free(text);
}

void moil_output_json_text(const char *text, bool each)
{
    struct json_cursor c;
    struct slice key, value;
    if (!each) {
        print_compact(slice_str(text));
    } else if (moil_json_enter(&c, slice_str(text))) {
        while (moil_json_next(&c, &key, &value)) {
            print_compact(value);
        }
    }
}

void moil_output_clean(struct buffer *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        unsigned char next = i + 1 < len ? (unsigned char)text[i + 1] : 0;
        if (c == 0xc2 && next >= 0x80 && next < 0xa0) { /* U+0080 … U+009F: terminals obey them */
            moil_buffer_add_char(out, '?');
            i++;
        } else if (c == '\n' || c == '\t' || c == '\r') {
            moil_buffer_add_char(out, ' ');
        } else {
            moil_buffer_add_char(out, c < 0x20 || c == 0x7f ? '?' : (char)c);
        }
    }
}

/* Why standard output could not be written to, the first time; 0: it could. */
static int write_error;

void moil_output_flush(void)
{
    errno = 0;
    if (fflush(stdout) == EOF && !write_error) {
        write_error = errno;
    }
}

enum exit_status moil_output_finish(enum exit_status status)
{
    moil_output_flush();
    if (write_error && write_error != EPIPE) {
        moil_complain("cannot write to standard output: %s", strerror(write_error));
        return status == STATUS_DONE ? STATUS_JOB_FAILED : status;
    }
    return status;
}
