/* `moil new DIR`: lays out a project whose own tests pass. Writes only where nothing is yet, and
 * knows no Redis. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "cli/complaint.h"
#include "cli/output.h"
#include "cli/project.h"

static const char MARK[] = "@NAME@";

static enum exit_status refuse(const char *path)
{
    moil_complain("%s: %s", path, strerror(errno));
    return STATUS_USAGE;
}

/* 1: it is empty, 0: it is not, -1: it cannot be read (errno). */
static int is_empty(const char *dir)
{
    const struct dirent *entry;
    int empty = 1;
    DIR *d = opendir(dir);
    if (!d) {
        return -1;
    }
    while (empty && (entry = readdir(d))) {
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    }
    closedir(d);
    return empty;
}

/* The folder is there, and empty. */
static enum exit_status make_folder(const char *dir)
{
    if (mkdir(dir, 0777) == 0) {
        return STATUS_DONE;
    }
    int empty = errno == EEXIST ? is_empty(dir) : -1;
    if (empty < 0) {
        return refuse(dir);
    }
    if (!empty) {
        moil_complain("%s is not empty: name a folder that is, or one that is not there yet", dir);
        return STATUS_USAGE;
    }
    return STATUS_DONE;
}

/* The last part of the path, without slashes behind it; of "." that of the current folder. */
static void name_of(const char *dir, char out[PATH_MAX])
{
    char real[PATH_MAX];
    const char *path = realpath(dir, real) ? real : dir;
    const char *slash = strrchr(path, '/');
    snprintf(out, PATH_MAX, "%s", slash && slash[1] ? slash + 1 : path);
}

/* The text with the name in the place of each mark. */
static void fill(struct buffer *out, const char *text, const char *name)
{
    const char *mark;
    while ((mark = strstr(text, MARK))) {
        moil_buffer_add(out, text, (size_t)(mark - text));
        moil_buffer_add_str(out, name);
        text = mark + strlen(MARK);
    }
    moil_buffer_add_str(out, text);
}

static int write_all(int fd, const struct buffer *b)
{
    size_t done = 0;
    while (done < b->len) {
        ssize_t n = write(fd, b->data + done, b->len - done);
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Makes the file anew, with its folder. 0, or -1 with errno. */
static int write_file(const char *path, const struct buffer *text)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        return -1;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        return -1;
    }
    int rc = write_all(fd, text);
    return close(fd) == 0 ? rc : -1;
}

static enum exit_status lay_out(const char *dir, const char *name)
{
    char path[PATH_MAX];
    for (const struct project_file *file = moil_project; file->path; file++) {
        struct buffer text;
        if (snprintf(path, sizeof path, "%s/%s", dir, file->path) >= (int)sizeof path) {
            errno = ENAMETOOLONG;
            return refuse(dir);
        }
        moil_buffer_init(&text);
        fill(&text, file->text, name);
        int rc = text.failed ? -1 : write_file(path, &text);
        moil_buffer_fini(&text);
        if (rc != 0) {
            return refuse(path);
        }
    }
    return STATUS_DONE;
}

static void tell(const struct options *o, const char *dir)
{
    if (!o->json) {
        printf("%s is laid out. Next: cd %s, then `busted` for its tests, and `moil dev`\n", dir,
               dir);
        return;
    }
    json_t *files = json_array();
    for (const struct project_file *file = moil_project; file->path; file++) {
        json_array_append_new(files, json_string(file->path));
    }
    json_t *object = json_pack("{s:s, s:o}", "dir", dir, "files", files);
    if (object) {
        moil_output_json(object);
    }
    json_decref(object);
}

enum exit_status moil_cmd_new(const struct options *o)
{
    char name[PATH_MAX];
    enum exit_status status = moil_check_operands(o, 1, 1, "the folder");
    if (status == STATUS_DONE) {
        status = make_folder(o->operands[0]);
    }
    if (status == STATUS_DONE) {
        name_of(o->operands[0], name);
        status = lay_out(o->operands[0], o->name ? o->name : name);
    }
    if (status == STATUS_DONE) {
        tell(o, o->operands[0]);
    }
    return status;
}
