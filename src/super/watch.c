/* watch.c: see watch.h. */
#include "super/watch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"

enum {
    EVENTS = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF |
             IN_MOVE_SELF | IN_ONLYDIR,
};

struct watch_name {
    struct watch_name *next;
    int round;
    char name[];
};

struct watch_folder {
    struct watch_folder *prev, *next;
    int wd;
    int round;     /* in which it was named last */
    int all_round; /* likewise, with all that is in it and below; 0: never */
    struct watch_name *names;
    char path[];
};

/* --- the table -------------------------------------------------------------------------------- */

static void tell_once(struct watch *w, const char *path, const char *why)
{
    if (!w->told)
        log_warning("changes of %s, and maybe of more, are not seen: %s", path, why);
    w->told = true;
}

static struct watch_folder *find_folder(struct watch *w, int wd)
{
    struct watch_folder *f;
    DL_FOREACH(w->folders, f) {
        if (f->wd == wd)
            return f;
    }
    return NULL;
}

/* The folder at a path, watched from now on; NULL where that is impossible. The kernel knows one
 * that has two names as one. */
static struct watch_folder *add_folder(struct watch *w, const char *path)
{
    size_t len = strlen(path);
    int wd = inotify_add_watch(w->fd, path, EVENTS);
    if (wd < 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            tell_once(w, path, strerror(errno));
        return NULL;
    }
    struct watch_folder *f = find_folder(w, wd);
    if (!f &&
        (w->folder_count >= WATCH_FOLDERS_MAX || !(f = moil_mem_zalloc(1, sizeof *f + len + 1)))) {
        tell_once(w, path, "too many folders");
        inotify_rm_watch(w->fd, wd);
        return NULL;
    }
    if (!f->prev) {
        memcpy(f->path, path, len + 1);
        f->wd = wd;
        DL_APPEND(w->folders, f);
        w->folder_count++;
    }
    f->round = w->round;
    return f;
}

static void drop_names(struct watch *w, struct watch_folder *f, bool all)
{
    for (struct watch_name **at = &f->names, *name; (name = *at);) {
        if (!all && name->round == w->round) {
            at = &name->next;
            continue;
        }
        *at = name->next;
        w->name_count--;
        moil_mem_free(name);
    }
}

static void drop_folder(struct watch *w, struct watch_folder *f)
{
    DL_DELETE(w->folders, f);
    w->folder_count--;
    drop_names(w, f, true);
    moil_mem_free(f);
}

static struct watch_name *find_name(struct watch_folder *f, const char *name)
{
    for (struct watch_name *n = f->names; n; n = n->next) {
        if (strcmp(n->name, name) == 0)
            return n;
    }
    return NULL;
}

static void add_file(struct watch *w, const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    size_t dir_len = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;
    snprintf(dir, sizeof dir, "%.*s", dir_len ? (int)dir_len : 1, dir_len ? path : ".");
    struct watch_folder *f = add_folder(w, dir);
    struct watch_name *name = f ? find_name(f, base) : NULL;
    if (f && !name) {
        size_t len = strlen(base);
        if (w->name_count >= WATCH_NAMES_MAX ||
            !(name = moil_mem_zalloc(1, sizeof *name + len + 1))) {
            tell_once(w, path, "too many files");
            return;
        }
        memcpy(name->name, base, len + 1);
        name->next = f->names;
        f->names = name;
        w->name_count++;
    }
    if (name)
        name->round = w->round;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* With all that is below. What is made in it from now on is told, and what was made before is read
 * here. */
static void add_tree(struct watch *w, const char *path, int depth)
{
    struct watch_folder *f = depth <= WATCH_DEPTH_MAX ? add_folder(w, path) : NULL;
    if (!f || f->all_round == w->round) /* a link to its own parent */
        return;
    f->all_round = w->round;
    DIR *dir = opendir(path);
    const struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        char below[PATH_MAX];
        int n = snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && n < (int)sizeof below && is_folder(below))
            add_tree(w, below, depth + 1);
    }
    if (dir)
        closedir(dir);
}

/* The name itself, too: a folder may be moved away and come back, a link may point elsewhere. */
static void add_path(struct watch *w, char kind, const char *path)
{
    char trimmed[PATH_MAX];
    int len = snprintf(trimmed, sizeof trimmed, "%s", path);
    while (len > 1 && len < (int)sizeof trimmed && trimmed[len - 1] == '/')
        trimmed[--len] = '\0';
    if (kind == 'D' && is_folder(trimmed))
        add_tree(w, trimmed, 0);
    if (strcmp(trimmed, ".") != 0 && strcmp(trimmed, "/") != 0)
        add_file(w, trimmed);
}

/* --- life ------------------------------------------------------------------------------------- */

void moil_watch_init(struct watch *w)
{
    *w = (struct watch){.fd = -1};
}

void moil_watch_open(struct watch *w)
{
    w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (w->fd < 0)
        log_warning("files cannot be watched: %s", strerror(errno));
}

void moil_watch_close(struct watch *w)
{
    while (w->folders)
        drop_folder(w, w->folders);
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
}

void moil_watch_update(struct watch *w, struct slice paths, bool whole)
{
    if (w->fd < 0)
        return;
    w->round++;
    for (const char *p = paths.p, *end = p + paths.n; p < end;) {
        size_t len = strnlen(p, (size_t)(end - p));
        if (p + len < end && len > 1)
            add_path(w, p[0], p + 1);
        p += len + 1;
    }
    struct watch_folder *f, *next;
    DL_FOREACH_SAFE(w->folders, f, next) {
        if (!whole)
            continue;
        drop_names(w, f, false);
        if (f->all_round != w->round)
            f->all_round = 0;
        if (f->round != w->round) {
            inotify_rm_watch(w->fd, f->wd);
            drop_folder(w, f);
        }
    }
}

/* --- changes ---------------------------------------------------------------------------------- */

static bool is_lua(const char *name)
{
    size_t len = strlen(name);
    return name[0] != '.' && len > 4 && strcmp(name + len - 4, ".lua") == 0;
}

static void note_change(struct watch *w, const char *folder, const char *name, int64_t now_ms)
{
    if (w->first_ms == 0) {
        w->first_ms = now_ms;
        snprintf(w->changed, sizeof w->changed, "%.*s%s%.80s", folder ? 100 : 0,
                 folder ? folder : "", folder && *name ? "/" : "", name);
    }
    w->last_ms = now_ms;
}

static void take_event(struct watch *w, const struct inotify_event *event, int64_t now_ms)
{
    const char *name = event->len ? event->name : "";
    if (event->mask & IN_Q_OVERFLOW) {
        note_change(w, NULL, "more than could be told", now_ms);
        return;
    }
    struct watch_folder *f = find_folder(w, event->wd);
    if (!f)
        return;
    bool is_dir = event->mask & IN_ISDIR, is_visible = *name && name[0] != '.';
    if ((event->mask & (IN_DELETE_SELF | IN_MOVE_SELF)) || find_name(f, name) ||
        (f->all_round && is_visible && (is_dir || is_lua(name))))
        note_change(w, strcmp(f->path, ".") == 0 ? NULL : f->path, name, now_ms);
    if (f->all_round && is_dir && is_visible && (event->mask & (IN_CREATE | IN_MOVED_TO))) {
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "%s/%s", f->path, name) < (int)sizeof path)
            add_tree(w, path, 1);
    }
    if (event->mask & IN_IGNORED)
        drop_folder(w, f);
}

void moil_watch_read(struct watch *w, int64_t now_ms)
{
    _Alignas(struct inotify_event) char bytes[8192];
    ssize_t n;
    while ((n = read(w->fd, bytes, sizeof bytes)) > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *event = (const void *)(bytes + at);
            take_event(w, event, now_ms);
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
}

int64_t moil_watch_due_ms(const struct watch *w)
{
    if (w->first_ms == 0)
        return 0;
    int64_t still_ms = w->last_ms + WATCH_STILL_MS, late_ms = w->first_ms + WATCH_WAIT_MS;
    return still_ms < late_ms ? still_ms : late_ms;
}

void moil_watch_begin(struct watch *w)
{
    w->first_ms = w->last_ms = 0;
}
