/* From the text of a cron expression to its bit sets, with the words for what is wrong in it: the
 * other half of cron.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/line.h"
#include "beat/cron.h"
#include "conf/suggest.h"

enum field_kind { FIELD_SECOND, FIELD_MINUTE, FIELD_HOUR, FIELD_DAY, FIELD_MONTH, FIELD_WEEKDAY };
enum { FIELDS = 6, SHOWN_MAX = 40 };

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

static const struct field {
    const char *name;
    int min, max;
    int cycle; /* how many there are: after the last comes the first */
    const char *const *names;
} fields[FIELDS] = {
    [FIELD_SECOND] = {"second", 0, 59, 60, NULL},
    [FIELD_MINUTE] = {"minute", 0, 59, 60, NULL},
    [FIELD_HOUR] = {"hour", 0, 23, 24, NULL},
    [FIELD_DAY] = {"day of month", 1, 31, 31, NULL},
    [FIELD_MONTH] = {"month", 1, 12, 12, month_names},
    [FIELD_WEEKDAY] = {"day of week", 0, 7, 7, weekday_names}, /* 7 is Sunday too */
};

/* One item of a field's list, as it is eaten from the front. */
struct item {
    enum field_kind kind;
    const char *whole;
    const char *p;
    struct cron *c;
    char *errstr;
    size_t errlen;
};

/* --- words ---------------------------------------------------------------------------------------
 */

__attribute__((format(printf, 2, 3))) static bool refuse(const struct item *it, const char *fmt,
                                                         ...)
{
    char why[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    snprintf(it->errstr, it->errlen, "%s: %s", fields[it->kind].name, why);
    return false;
}

static bool refuse_item(const struct item *it, const char *why)
{
    return refuse(it, "\"%.*s\" %s", SHOWN_MAX, it->whole, why);
}

/* --- values --------------------------------------------------------------------------------------
 */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool take(struct item *it, char upper)
{
    if (*it->p != upper && !(is_letter(upper) && *it->p == upper + ('a' - 'A')))
        return false;
    it->p++;
    return true;
}

static bool take_number(struct item *it, const char *what, int min, int max, int *out)
{
    size_t n = strspn(it->p, "0123456789");
    long v = 0;
    if (n == 0)
        return refuse_item(it, "is not understood: a number is missing in it");
    for (size_t i = 0; i < n && v <= 100000; i++)
        v = v * 10 + (it->p[i] - '0');
    if (v < min || v > max)
        return refuse(it, "%s%.*s is out of range %d-%d", what,
                      (int)(n < SHOWN_MAX ? n : SHOWN_MAX), it->p, min, max);
    it->p += n;
    *out = (int)v;
    return true;
}

static bool take_name(struct item *it, int *out)
{
    const struct field *f = &fields[it->kind];
    for (int i = 0; f->names && f->names[i]; i++) {
        if (strncasecmp(it->p, f->names[i], 3) == 0) {
            it->p += 3;
            *out = it->kind == FIELD_MONTH ? i + 1 : i;
            return true;
        }
    }
    if (!f->names)
        return refuse_item(it, "is not understood: numbers, *, -, / and commas are");
    return refuse(it, "\"%.*s\" is no number from %d to %d and no name (%s to %s)", SHOWN_MAX,
                  it->whole, f->min, f->max, f->names[0], f->names[f->cycle - 1]);
}

static bool take_value(struct item *it, int *out)
{
    const struct field *f = &fields[it->kind];
    return is_digit(*it->p) ? take_number(it, "", f->min, f->max, out) : take_name(it, out);
}

static bool at_end(const struct item *it)
{
    return *it->p == '\0' || refuse_item(it, "is not understood");
}

/* --- sets ----------------------------------------------------------------------------------------
 */

static void add(struct item *it, int v)
{
    switch (it->kind) {
    case FIELD_SECOND:
        it->c->seconds |= UINT64_C(1) << v;
        break;
    case FIELD_MINUTE:
        it->c->minutes |= UINT64_C(1) << v;
        break;
    case FIELD_HOUR:
        it->c->hours |= UINT32_C(1) << v;
        break;
    case FIELD_DAY:
        it->c->days |= UINT32_C(1) << v;
        break;
    case FIELD_MONTH:
        it->c->months |= UINT32_C(1) << v;
        break;
    case FIELD_WEEKDAY:
        it->c->weekdays |= (uint8_t)(1U << v % 7);
        break;
    }
}

/* From first on, `length` values more, over the field's end to its beginning. */
static void add_range(struct item *it, int first, int length, int step)
{
    const struct field *f = &fields[it->kind];
    for (int k = 0; k <= length; k += step)
        add(it, f->min + (first - f->min + k) % f->cycle);
}

static bool take_step(struct item *it, int *step)
{
    *step = 1;
    return !take(it, '/') || take_number(it, "the step ", 1, fields[it->kind].cycle, step);
}

/* An item without letters of its own: * or N or A-B, with or without a step. */
static bool parse_range(struct item *it)
{
    const struct field *f = &fields[it->kind];
    int first = f->min, last = f->min + f->cycle - 1, step;
    if (!take(it, '*')) {
        if (!take_value(it, &first))
            return false;
        if (take(it, '-')) {
            if (!take_value(it, &last))
                return false;
        } else if (*it->p != '/' || first > last) {
            last = first;
        }
    }
    if (!take_step(it, &step) || !at_end(it))
        return false;
    add_range(it, first, last >= first ? last - first : last - first + f->cycle, step);
    return true;
}

/* --- L, W and # ----------------------------------------------------------------------------------
 */

/* L, L-N, LW */
static bool parse_last_day(struct item *it)
{
    int before = 0;
    if (take(it, 'W'))
        it->c->last_workday = true;
    else if (take(it, '-') && !take_number(it, "", 0, 30, &before))
        return false;
    else
        it->c->before_last |= UINT32_C(1) << before;
    return at_end(it);
}

/* NW, when the item is one. */
static bool is_workday(const struct item *it)
{
    size_t n = strspn(it->p, "0123456789");
    return n > 0 && (it->p[n] == 'W' || it->p[n] == 'w');
}

static bool parse_workday(struct item *it)
{
    int day = 0;
    if (!take_value(it, &day) || !take(it, 'W') || !at_end(it))
        return false;
    it->c->workdays |= UINT32_C(1) << day;
    return true;
}

/* LD; L alone could mean the week's last day or the month's. */
static bool parse_last_weekday(struct item *it)
{
    int day = 0;
    if (*it->p == '\0')
        return refuse_item(it, "wants a day: 5L is the last Friday of the month");
    if (!take_value(it, &day) || !at_end(it))
        return false;
    it->c->last |= (uint8_t)(1U << day % 7);
    return true;
}

/* DL and D#N, or else a range. */
static bool parse_weekday(struct item *it)
{
    const char *begin = it->p;
    int day = 0, n = 0;
    if (*begin == '*')
        return parse_range(it);
    if (!take_value(it, &day))
        return false;
    if (take(it, 'L')) {
        it->c->last |= (uint8_t)(1U << day % 7);
        return at_end(it);
    }
    if (take(it, '#')) {
        if (!take_number(it, "#", 1, 5, &n))
            return false;
        it->c->nth[n] |= (uint8_t)(1U << day % 7);
        return at_end(it);
    }
    it->p = begin;
    return parse_range(it);
}

/* --- fields --------------------------------------------------------------------------------------
 */

static bool parse_item(struct item *it)
{
    bool days = it->kind == FIELD_DAY || it->kind == FIELD_WEEKDAY;
    if (*it->p == '\0')
        return refuse(it, "a list has an empty place");
    if (strcmp(it->p, "?") == 0 && days) {
        it->p = "*";
        return parse_range(it);
    }
    if (days && take(it, 'L'))
        return it->kind == FIELD_DAY ? parse_last_day(it) : parse_last_weekday(it);
    if (it->kind == FIELD_DAY && is_workday(it))
        return parse_workday(it);
    return it->kind == FIELD_WEEKDAY ? parse_weekday(it) : parse_range(it);
}

/* text: cut at its commas. */
static bool parse_field(struct item *it, char *text)
{
    bool any = *text == '*' || *text == '?';
    if (it->kind == FIELD_DAY)
        it->c->any_day = any;
    if (it->kind == FIELD_WEEKDAY)
        it->c->any_weekday = any;
    for (char *next = text; text; text = next) {
        next = strchr(text, ',');
        if (next)
            *next++ = '\0';
        it->whole = it->p = text;
        if (!parse_item(it))
            return false;
    }
    return true;
}

/* --- the whole -----------------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    const char *text; /* NULL: refused */
    const char *why;
} nicknames[] = {
    {"@yearly", "0 0 1 1 *", NULL},
    {"@annually", "0 0 1 1 *", NULL},
    {"@monthly", "0 0 1 * *", NULL},
    {"@weekly", "0 0 * * 0", NULL},
    {"@daily", "0 0 * * *", NULL},
    {"@midnight", "0 0 * * *", NULL},
    {"@hourly", "0 * * * *", NULL},
    {"@reboot", NULL,
     "is no time: an entry is due at times, whichever machine or scheduler starts"},
    {"@every", NULL, "is said with the field every, in seconds"},
};

enum { NICKNAMES = sizeof nicknames / sizeof *nicknames };

/* The fields that a nickname stands for; text itself where it is none; NULL: refused. */
static const char *expand(const char *text, char *errstr, size_t errlen)
{
    const char *names[NICKNAMES];
    char word[SHOWN_MAX + 1];
    if (*text != '@')
        return text;
    snprintf(word, sizeof word, "%.*s", (int)strcspn(text, " \t"), text);
    for (size_t i = 0; i < NICKNAMES; i++) {
        names[i] = nicknames[i].name;
        if (strcasecmp(word, names[i]) != 0)
            continue;
        if (nicknames[i].why)
            snprintf(errstr, errlen, "%s %s", names[i], nicknames[i].why);
        else if (strcspn(text, " \t") == strlen(text))
            return nicknames[i].text;
        else
            snprintf(errstr, errlen, "there is nothing behind %s", names[i]);
        return NULL;
    }
    const char *near = moil_nearest_name(word, names, NICKNAMES);
    snprintf(errstr, errlen, "there is no %s%s%s%s", word, near ? ", did you mean " : "",
             near ? near : "", near ? "?" : "");
    return NULL;
}

/* Cuts text at its blanks; the number of fields, at most FIELDS + 1. */
static int split(char *text, char *out[FIELDS + 1])
{
    int n = 0;
    char *rest = NULL;
    for (char *word = strtok_r(text, " \t", &rest); word && n <= FIELDS;
         word = strtok_r(NULL, " \t", &rest))
        out[n++] = word;
    return n;
}

static bool parse_fields(char *text, struct cron *c, char *errstr, size_t errlen)
{
    char *words[FIELDS + 1];
    int n = split(text, words), first = FIELDS - n;
    if (n != 5 && n != 6) {
        snprintf(errstr, errlen,
                 "it has %s%d field%s; five are wanted (minute, hour, day of month, month, day of "
                 "week), or six with the second first",
                 n > FIELDS ? "more than " : "", n > FIELDS ? FIELDS : n, n == 1 ? "" : "s");
        return false;
    }
    if (n == 5)
        c->seconds = 1;
    for (int i = 0; i < n; i++) {
        struct item it = {
            .kind = (enum field_kind)(first + i), .c = c, .errstr = errstr, .errlen = errlen};
        if (!parse_field(&it, words[i]))
            return false;
    }
    return true;
}

static bool parse(const char *text, struct cron *c, char *errstr, size_t errlen)
{
    char copy[CRON_TEXT_MAX + 1];
    text += strspn(text, " \t");
    if (strlen(text) > CRON_TEXT_MAX) {
        snprintf(errstr, errlen, "it is longer than %d bytes", CRON_TEXT_MAX);
        return false;
    }
    if (strchr(text, '=')) {
        snprintf(errstr, errlen, "a time zone goes into the field timezone");
        return false;
    }
    text = expand(text, errstr, errlen);
    if (!text)
        return false;
    snprintf(copy, sizeof copy, "%s", text);
    if (!parse_fields(copy, c, errstr, errlen))
        return false;
    if (moil_cron_next(c, 0) == INT64_MAX) {
        snprintf(errstr, errlen,
                 "day of month: it never comes: no month that \"%.*s\" names has "
                 "such a day",
                 SHOWN_MAX * 2, text);
        return false;
    }
    return true;
}

int moil_cron_parse(const char *text, struct cron *out, char *errstr, size_t errlen)
{
    struct cron c = {0};
    if (!parse(text, &c, errstr, errlen)) {
        if (errlen > 0)
            moil_line_clean(errstr);
        return MOIL_EINVAL;
    }
    *out = c;
    return 0;
}
