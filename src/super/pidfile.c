/* Taking and dropping a pidfile. See pidfile.h. */
#include "super/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

static bool is_at(const char *path, int fd)
{
    struct stat there, ours;
    return stat(path, &there) == 0 && fstat(fd, &ours) == 0 && there.st_dev == ours.st_dev &&
           there.st_ino == ours.st_ino;
}

static int refuse(const char *path, int fd, char *errstr, size_t errlen)
{
    char text[16];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    snprintf(errstr, errlen, "process %ld runs with the pidfile %s already", atol(text), path);
    return MOIL_ESTATE;
}

/* A new locked file beside the path with our number in it; its descriptor, or -1. */
static int write_beside(const char *beside)
{
    int fd = open(beside, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && dprintf(fd, "%ld\n", (long)getpid()) > 0)
        return fd;
    int saved = errno;
    close(fd);
    unlink(beside);
    errno = saved;
    return -1;
}

/* Puts the new file where a stale one is, while holding the stale one's lock: so of two that try,
 * one wins. 0, MOIL_ESTATE, or MOIL_ESYS; 1: the stale one went away meanwhile, try again. */
static int replace(const char *path, const char *beside, char *errstr, size_t errlen)
{
    int old = open(path, O_RDONLY | O_CLOEXEC);
    if (old < 0)
        return errno == ENOENT ? 1 : MOIL_ESYS;
    int rc = MOIL_ESYS;
    if (flock(old, LOCK_EX | LOCK_NB) != 0)
        rc = errno == EWOULDBLOCK ? refuse(path, old, errstr, errlen) : MOIL_ESYS;
    else if (!is_at(path, old))
        rc = 1;
    else if (rename(beside, path) == 0)
        rc = 0;
    int saved = errno;
    close(old);
    errno = saved;
    return rc;
}

int moil_pidfile_take(const char *path, int *fd, char *errstr, size_t errlen)
{
    char beside[4096];
    int rc = MOIL_ESYS;
    errstr[0] = '\0';
    errno = ENAMETOOLONG;
    if (snprintf(beside, sizeof beside, "%s.%ld", path, (long)getpid()) >= (int)sizeof beside)
        goto out;
    int ours = write_beside(beside);
    if (ours < 0)
        goto out;
    do {
        rc = MOIL_ESYS;
        if (link(beside, path) == 0)
            rc = 0;
        else if (errno == EEXIST)
            rc = replace(path, beside, errstr, errlen);
    } while (rc == 1);
    int saved = errno;
    unlink(beside); /* gone already where it was renamed */
    errno = saved;
    if (rc == 0)
        *fd = ours;
    else
        close(ours);
out:
    if (rc != 0 && errstr[0] == '\0')
        snprintf(errstr, errlen, "cannot write the pidfile %s: %s", path, strerror(errno));
    return rc;
}

void moil_pidfile_drop(const char *path, int fd)
{
    if (is_at(path, fd))
        unlink(path);
    close(fd);
}
