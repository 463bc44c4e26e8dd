/* The zones that are open, and the files they come from: the other half of zone.h. */
#include "base/mem.h"
#include "beat/zone.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/line.h"
#include "conf/suggest.h"

enum {
    FILE_MAX = 256 * 1024, /* the database's files have 4 KB at most */
    KNOWN_MAX = 2000,      /* it has 600 names */
    DEPTH_MAX = 4,
};

struct zones {
    struct zone **open;
    size_t count;
    const struct zone *fallback;
};

static const char *folder(void)
{
    const char *dir = getenv("TZDIR");
    return dir && *dir ? dir : "/usr/share/zoneinfo";
}

/* --- the nearest name ------------------------------------------------------------------------ */

struct names {
    char *all[KNOWN_MAX];
    size_t count;
};

/* Zones begin with a capital letter; "posix" and "right" hold them all once more. */
static bool is_zone_name(const char *name)
{
    return *name >= 'A' && *name <= 'Z' && !strchr(name, '.') && strlen(name) <= ZONE_NAME_MAX;
}

static void list_names(struct names *names, const char *below, int depth)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder(), below);
    DIR *dir = depth < DEPTH_MAX ? opendir(path) : NULL;
    int fd = dir ? dirfd(dir) : -1;
    struct dirent *item;
    while (fd >= 0 && (item = readdir(dir)) && names->count < KNOWN_MAX) {
        char name[ZONE_NAME_MAX + 1];
        struct stat st;
        if (!is_zone_name(item->d_name) ||
            snprintf(name, sizeof name, "%s%s%s", below, *below ? "/" : "", item->d_name) >=
                (int)sizeof name ||
            fstatat(fd, item->d_name, &st, 0) < 0)
            continue;
        if (S_ISDIR(st.st_mode))
            list_names(names, name, depth + 1);
        else if ((names->all[names->count] = moil_mem_strdup(name)))
            names->count++;
    }
    if (dir)
        closedir(dir);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Whatever the case, "berlin" means Europe/Berlin too; else the nearest by spelling. */
static const char *nearest(const struct names *names, const char *wrong)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcasecmp(names->all[i], wrong) == 0)
            return names->all[i];
    for (size_t i = 0; i < names->count; i++) {
        const char *slash = strrchr(names->all[i], '/');
        if (slash && strcasecmp(slash + 1, wrong) == 0)
            return names->all[i];
    }
    return moil_nearest_name(wrong, (const char *const *)names->all, names->count);
}

static void refuse_unknown(const char *name, char *errstr, size_t errlen)
{
    struct names *names = moil_mem_zalloc(1, sizeof *names);
    if (names) {
        list_names(names, "", 0);
        qsort(names->all, names->count, sizeof *names->all, compare_names);
    }
    const char *near = names ? nearest(names, name) : NULL;
    if (near)
        snprintf(errstr, errlen, "there is no time zone \"%.64s\", did you mean \"%s\"?", name,
                 near);
    else if (names && names->count == 0)
        snprintf(errstr, errlen,
                 "there is no time zone database in %.200s: install tzdata, or set "
                 "TZDIR",
                 folder());
    else
        snprintf(errstr, errlen,
                 "there is no time zone \"%.64s\"; zones have names such as "
                 "Europe/Berlin and UTC",
                 name);
    for (size_t i = 0; names && i < names->count; i++)
        moil_mem_free(names->all[i]);
    moil_mem_free(names);
}

/* --- files ----------------------------------------------------------------------------------- */

/* A path below the folder, by names alone. */
static bool is_safe(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789_+-/";
    size_t n = strlen(name);
    return n > 0 && n <= ZONE_NAME_MAX && strspn(name, allowed) == n && *name != '/' &&
           name[n - 1] != '/';
}

/* 0, or MOIL_ESYS with errno. */
static int read_file(const char *name, struct buffer *out)
{
    char path[512];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", folder(), name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return MOIL_ESYS;
    bool plain = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_MAX;
    char *room = plain ? moil_buffer_reserve(out, (size_t)st.st_size + 1) : NULL;
    ssize_t n = room ? read(fd, room, (size_t)st.st_size) : -1;
    close(fd);
    if (n < 0) {
        errno = plain ? errno : ENOENT;
        return MOIL_ESYS;
    }
    out->len = (size_t)n;
    return 0;
}

static struct zone *make_utc(void)
{
    /* Version 1, no changes, one type: offset 0, no summer time, the name "UTC". */
    static const char bytes[] = "TZif\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\4"
                                "\0\0\0\0\0\0UTC\0";
    char why[64];
    return moil_zone_decode("UTC", slice_of(bytes, sizeof bytes - 1), why, sizeof why);
}

static struct zone *open_zone(const char *name, char *errstr, size_t errlen)
{
    struct buffer bytes;
    struct zone *z = NULL;
    if (strcmp(name, "UTC") == 0) {
        z = make_utc();
        if (!z)
            snprintf(errstr, errlen, "out of memory");
        return z;
    }
    moil_buffer_init(&bytes);
    if (is_safe(name) && read_file(name, &bytes) == 0)
        z = moil_zone_decode(name, moil_buffer_slice(&bytes), errstr, errlen);
    else if (is_safe(name) && errno != ENOENT && errno != ENOTDIR)
        snprintf(errstr, errlen, "cannot read time zone \"%s\": %s", name, strerror(errno));
    else
        refuse_unknown(name, errstr, errlen);
    moil_buffer_fini(&bytes);
    moil_line_clean(errstr);
    return z;
}

/* --- the zones that are open ----------------------------------------------------------------- */

struct zones *moil_zones_new(void)
{
    char why[64];
    struct zones *zones = moil_mem_zalloc(1, sizeof *zones);
    if (zones && moil_zones_set_default(zones, "UTC", why, sizeof why) < 0) {
        moil_zones_free(zones);
        return NULL;
    }
    return zones;
}

void moil_zones_free(struct zones *zones)
{
    if (!zones)
        return;
    for (size_t i = 0; i < zones->count; i++)
        moil_zone_free(zones->open[i]);
    moil_mem_free(zones->open);
    moil_mem_free(zones);
}

const struct zone *moil_zones_get(struct zones *zones, const char *name, char *errstr,
                                  size_t errlen)
{
    for (size_t i = 0; i < zones->count; i++)
        if (strcmp(moil_zone_name(zones->open[i]), name) == 0)
            return zones->open[i];
    struct zone **more = moil_mem_realloc(zones->open, (zones->count + 1) * sizeof *more);
    if (!more) {
        snprintf(errstr, errlen, "out of memory");
        return NULL;
    }
    zones->open = more;
    struct zone *z = open_zone(name, errstr, errlen);
    if (z)
        zones->open[zones->count++] = z;
    return z;
}

int moil_zones_set_default(struct zones *zones, const char *name, char *errstr, size_t errlen)
{
    const struct zone *z = moil_zones_get(zones, name, errstr, errlen);
    if (!z)
        return MOIL_EINVAL;
    zones->fallback = z;
    return 0;
}

const struct zone *moil_zones_default(const struct zones *zones)
{
    return zones->fallback;
}
