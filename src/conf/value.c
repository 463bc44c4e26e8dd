/* Parsing of single option values by the types of conf/table.h. Knows nothing of where a value came
 * from but the name that messages begin with. */
#include "conf/value.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/job.h"
#include "base/line.h"
#include "base/mem.h"
#include "conf/address.h"
#include "conf/instant.h"
#include "conf/url.h"

enum { SHOWN_MAX = 60, NAMESPACE_MAX = 64, WEIGHT_MAX = 1000 };

struct value {
    const struct option_row *row;
    const char *text;
    const char *where;
    char *errstr;
    size_t errlen;
};

static void *field_of(struct options *o, const struct option_row *row)
{
    return (char *)o + row->offset;
}

static bool owns_string(const struct option_row *row)
{
    switch (row->type) {
    case OPTION_STRING:
    case OPTION_NAME:
    case OPTION_NAMESPACE:
    case OPTION_URL:
    case OPTION_ADDRESS:
    case OPTION_QUEUES:
    case OPTION_IDS:
        return true;
    case OPTION_BOOL:
    case OPTION_INT:
    case OPTION_SECONDS:
    case OPTION_INSTANT:
    case OPTION_WHEN:
    case OPTION_CHOICE:
    case OPTION_HELP:
        return false;
    }
    return false;
}

/* `--workers: "0" is not a whole number from 1 to 1024` */
static int refuse(const struct value *v, const char *expected)
{
    bool cut = strlen(v->text) > SHOWN_MAX;
    snprintf(v->errstr, v->errlen, "%s: \"%.*s%s\" is not %s", v->where, SHOWN_MAX, v->text,
             cut ? "…" : "", expected);
    return MOIL_EINVAL;
}

static int refuse_range(const struct value *v, const char *kind)
{
    char expected[128];
    snprintf(expected, sizeof expected, "%s from %.15g to %.15g", kind, v->row->min, v->row->max);
    return refuse(v, expected);
}

/* --- one parser per type --------------------------------------------------------------------- */

static int parse_int(const struct value *v, long *out)
{
    char *end;
    errno = 0;
    long n = strtol(v->text, &end, 10);
    bool plain = v->text[0] != '\0' && strspn(v->text, "+-0123456789") == strlen(v->text);
    if (!plain || *end != '\0' || errno || (double)n < v->row->min || (double)n > v->row->max) {
        return refuse_range(v, "a whole number");
    }
    *out = n;
    return 0;
}

static int parse_seconds(const struct value *v, double *out)
{
    char *end;
    double n = strtod(v->text, &end);
    bool plain = v->text[0] != '\0' && strspn(v->text, "+-0123456789.eE") == strlen(v->text);
    if (!plain || *end != '\0' || !isfinite(n) || n < v->row->min || n > v->row->max) {
        return refuse_range(v, "a number of seconds");
    }
    *out = n;
    return 0;
}

static int parse_bool(const struct value *v, bool *out)
{
    static const char *const names[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcasecmp(v->text, names[i]) == 0) {
            *out = i % 2 == 1;
            return 0;
        }
    }
    return refuse(v, "true or false");
}

static int parse_choice(const struct value *v, int *out)
{
    char expected[128] = "one of";
    size_t used = strlen(expected);
    for (int i = 0; v->row->choices[i]; i++) {
        if (strcasecmp(v->text, v->row->choices[i]) == 0) {
            *out = i;
            return 0;
        }
        if (used < sizeof expected) {
            used += (size_t)snprintf(expected + used, sizeof expected - used, "%s %s",
                                     i > 0 ? "," : "", v->row->choices[i]);
        }
    }
    return refuse(v, expected);
}

static int parse_instant(const struct value *v, double *out)
{
    if (moil_instant_parse(v->text, out) < 0) {
        return refuse(v, "a time with its offset, like 2030-01-01T09:00:00+08:00, or seconds since "
                         "the epoch");
    }
    return 0;
}

static int parse_when(const struct value *v, double *out)
{
    double when;
    if (moil_when_parse(v->text, &when) < 0 || when <= 0) {
        return refuse(v, "seconds from now (more than 0), or a time with its offset, like "
                         "2030-01-01T09:00:00+08:00");
    }
    *out = when;
    return 0;
}

/* --- checks of strings ----------------------------------------------------------------------- */

static int check_url(const struct value *v)
{
    struct url url;
    char why[256];
    int rc = moil_url_parse(v->text, &url, why, sizeof why);
    if (rc < 0) {
        snprintf(v->errstr, v->errlen, "%s: %s", v->where, why);
    }
    return rc;
}

static int check_address(const struct value *v)
{
    struct address address;
    if (moil_address_parse(v->text, &address) < 0) {
        return refuse(v, "an address: HOST:PORT, [IPv6]:PORT, or :PORT for this machine alone");
    }
    return 0;
}

static int check_name(const struct value *v)
{
    if (!moil_name_is_valid(slice_str(v->text))) {
        return refuse(v, "a name (1 to 200 printable ASCII characters without space)");
    }
    return 0;
}

static int check_namespace(const struct value *v)
{
    if (!moil_name_is_valid(slice_str(v->text)) || strlen(v->text) > NAMESPACE_MAX ||
        strpbrk(v->text, "{}")) {
        return refuse(v, "a namespace (1 to 64 printable ASCII characters without space, { and })");
    }
    return 0;
}

/* True when an element of the list ends in ":weight"; *name_len gets the length of the name. */
static bool has_weight(const char *item, size_t len, size_t *name_len)
{
    const char *colon = memrchr(item, ':', len);
    size_t digits = colon ? (size_t)(item + len - colon - 1) : 0;
    *name_len = len;
    if (digits == 0 || strspn(colon + 1, "0123456789") < digits) {
        return false;
    }
    *name_len = (size_t)(colon - item);
    return true;
}

static int check_queues(const struct value *v)
{
    size_t weighted = 0, count = 0, name_len;
    const char *item = v->text;
    for (;;) {
        size_t len = strcspn(item, ",");
        bool weight = has_weight(item, len, &name_len);
        long value = weight ? strtol(item + name_len + 1, NULL, 10) : 1;
        if (!moil_name_is_valid(slice_of(item, name_len)) || value < 1 || value > WEIGHT_MAX) {
            return refuse(v, "a list of queues: high,default,low, or with weights from 1 to 1000: "
                             "high:3,low:1");
        }
        weighted += weight;
        count++;
        if (item[len] == '\0') {
            break;
        }
        item += len + 1;
    }
    if (weighted > 0 && weighted < count) {
        return refuse(v, "a list of queues either all with weights or all without: strict order "
                         "and weights do not mix");
    }
    return 0;
}

static int check_ids(const struct value *v)
{
    const char *item = v->text;
    for (;;) {
        size_t len = strcspn(item, ",");
        if (!moil_name_is_valid(slice_of(item, len))) {
            return refuse(v, "a list of ids, with commas between them");
        }
        if (item[len] == '\0') {
            return 0;
        }
        item += len + 1;
    }
}

static int check_string(const struct value *v)
{
    switch (v->row->type) {
    case OPTION_URL:
        return check_url(v);
    case OPTION_ADDRESS:
        return check_address(v);
    case OPTION_NAME:
        return check_name(v);
    case OPTION_NAMESPACE:
        return check_namespace(v);
    case OPTION_QUEUES:
        return check_queues(v);
    case OPTION_IDS:
        return check_ids(v);
    case OPTION_STRING:
    case OPTION_BOOL:
    case OPTION_INT:
    case OPTION_SECONDS:
    case OPTION_INSTANT:
    case OPTION_WHEN:
    case OPTION_CHOICE:
    case OPTION_HELP:
        break;
    }
    return v->text[0] != '\0' ? 0 : refuse(v, "a value: it is empty");
}

/* --- the fields ------------------------------------------------------------------------------ */

static int set_string(const struct value *v, char **field)
{
    int rc = check_string(v);
    if (rc < 0) {
        return rc;
    }
    char *copy = NULL;
    if (v->row->type == OPTION_IDS && *field) {
        size_t size = strlen(*field) + strlen(v->text) + 2;
        copy = moil_mem_alloc(size);
        if (copy) {
            snprintf(copy, size, "%s,%s", *field, v->text);
        }
    } else {
        copy = moil_mem_strdup(v->text);
    }
    if (!copy) {
        snprintf(v->errstr, v->errlen, "out of memory");
        return MOIL_ENOMEM;
    }
    moil_mem_free(*field);
    *field = copy;
    return 0;
}

/* --help, --help=FORM, --help=man:PAGE */
static int set_help(const struct value *v, struct options *o)
{
    static const struct {
        const char *name;
        enum help_form form;
    } forms[] = {
        {"true", HELP_TEXT},   {"markdown", HELP_MARKDOWN}, {"man", HELP_MAN},
        {"pages", HELP_PAGES}, {"bash", HELP_BASH},         {"zsh", HELP_ZSH},
    };
    const char *colon = strchr(v->text, ':');
    struct slice name = slice_of(v->text, colon ? (size_t)(colon - v->text) : strlen(v->text));
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (slice_is(name, forms[i].name) && (!colon || forms[i].form == HELP_MAN)) {
            o->help = true;
            o->help_form = forms[i].form;
            o->help_page = colon ? colon + 1 : NULL;
            return 0;
        }
    }
    return refuse(v, "known: --help, and with = man, man:PAGE, pages, bash, zsh or markdown");
}

static int set_field(const struct value *v, struct options *o)
{
    void *field = field_of(o, v->row);
    switch (v->row->type) {
    case OPTION_BOOL:
        return parse_bool(v, field);
    case OPTION_INT:
        return parse_int(v, field);
    case OPTION_SECONDS:
        return parse_seconds(v, field);
    case OPTION_INSTANT:
        return parse_instant(v, field);
    case OPTION_WHEN:
        return parse_when(v, field);
    case OPTION_CHOICE:
        return parse_choice(v, field);
    case OPTION_HELP:
        return set_help(v, o);
    case OPTION_STRING:
    case OPTION_NAME:
    case OPTION_NAMESPACE:
    case OPTION_URL:
    case OPTION_ADDRESS:
    case OPTION_QUEUES:
    case OPTION_IDS:
        break;
    }
    return set_string(v, field);
}

int moil_option_set(struct options *o, const struct option_row *row, const char *text,
                    const char *where, char *errstr, size_t errlen)
{
    struct value v = {.row = row, .text = text, .where = where, .errstr = errstr, .errlen = errlen};
    int rc = set_field(&v, o);
    if (rc < 0 && errlen > 0) {
        moil_line_clean(errstr);
    }
    return rc;
}

int moil_options_set_defaults(struct options *o)
{
    for (size_t i = 0; i < moil_option_count(); i++) {
        const struct option_row *row = moil_option_at(i);
        if (row->type == OPTION_INT) {
            *(long *)field_of(o, row) = -1;
        } else if (row->type == OPTION_SECONDS || row->type == OPTION_INSTANT ||
                   row->type == OPTION_WHEN) {
            *(double *)field_of(o, row) = -1;
        }
        char errstr[256];
        int rc = row->initial
                     ? moil_option_set(o, row, row->initial, row->name, errstr, sizeof errstr)
                     : 0;
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

bool moil_option_is_same(const struct options *a, const struct options *b,
                         const struct option_row *row)
{
    const void *x = (const char *)a + row->offset, *y = (const char *)b + row->offset;
    switch (row->type) {
    case OPTION_BOOL:
    case OPTION_HELP:
        return *(const bool *)x == *(const bool *)y;
    case OPTION_INT:
        return *(const long *)x == *(const long *)y;
    case OPTION_SECONDS:
    case OPTION_INSTANT:
    case OPTION_WHEN:
        return *(const double *)x == *(const double *)y;
    case OPTION_CHOICE:
        return *(const int *)x == *(const int *)y;
    case OPTION_STRING:
    case OPTION_NAME:
    case OPTION_NAMESPACE:
    case OPTION_URL:
    case OPTION_ADDRESS:
    case OPTION_QUEUES:
    case OPTION_IDS:
        break;
    }
    const char *s = *(char *const *)x, *t = *(char *const *)y;
    return s == t || (s && t && strcmp(s, t) == 0);
}

void moil_options_free_values(struct options *o)
{
    for (size_t i = 0; i < moil_option_count(); i++) {
        if (owns_string(moil_option_at(i))) {
            char **field = field_of(o, moil_option_at(i));
            moil_mem_free(*field);
            *field = NULL;
        }
    }
}
