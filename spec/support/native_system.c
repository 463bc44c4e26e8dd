/* Descriptors, clocks, temporary folders and the process table, as thin as they come.
 *
 * Folders made here are removed at exit, however the run ends. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "native.h"

enum { FOLDERS_MAX = 256, POLL_MAX = 256 };

/* --- temporary folders
 * --------------------------------------------------------------------------------- */

static struct {
    pid_t owner;
    char *paths[FOLDERS_MAX];
    int count;
} folders;

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    (void)remove(path); /* what cannot be removed stays; the folder then fails too and is seen */
    return 0;
}

static void remove_folders(void)
{
    if (getpid() != folders.owner) {
        return;
    }
    while (folders.count > 0) {
        char *path = folders.paths[--folders.count];

        nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        free(path);
    }
}

/* mkdtemp(prefix) -> path; removed with all that is in it at exit */
static int native_mkdtemp(lua_State *L)
{
    const char *template = lua_pushfstring(L, "%sXXXXXX", luaL_checkstring(L, 1)); /* … template */
    char *path;

    luaL_argcheck(L, folders.count < FOLDERS_MAX, 1, "too many temporary folders");
    path = strdup(template);
    if (!path || !mkdtemp(path)) {
        free(path);
        return native_fail(L, template);
    }
    folders.paths[folders.count++] = path;
    lua_pushstring(L, path);
    return 1;
}

/* --- descriptors
 * --------------------------------------------------------------------------------------- */

/* open(path, "r" | "w" | "a") -> fd */
static int native_open(lua_State *L)
{
    static const char *const modes[] = {"r", "w", "a", NULL};
    static const int flags[] = {O_RDONLY, O_WRONLY | O_CREAT | O_TRUNC,
                                O_WRONLY | O_CREAT | O_APPEND};
    const char *path = luaL_checkstring(L, 1);
    int fd = open(path, flags[luaL_checkoption(L, 2, "r", modes)] | O_CLOEXEC, 0644);

    if (fd < 0) {
        return native_fail(L, path);
    }
    lua_pushinteger(L, fd);
    return 1;
}

/* pipe(block) -> read end, write end; reading blocks only where asked for */
static int native_pipe(lua_State *L)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0) {
        return native_fail(L, "pipe");
    }
    if (!lua_toboolean(L, 1)) {
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
    }
    lua_pushinteger(L, ends[0]);
    lua_pushinteger(L, ends[1]);
    return 2;
}

static int native_close(lua_State *L)
{
    close((int)luaL_checkinteger(L, 1));
    return 0;
}

/* read(fd) -> bytes, "" at the end | nil when there is nothing yet */
static int native_read(lua_State *L)
{
    char bytes[65536];
    ssize_t n;

    do {
        n = read((int)luaL_checkinteger(L, 1), bytes, sizeof bytes);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return native_fail(L, "read");
    }
    lua_pushlstring(L, bytes, (size_t)n);
    return 1;
}

/* write(fd, bytes) -> true | nil, message */
static int native_write(lua_State *L)
{
    int fd = (int)luaL_checkinteger(L, 1);
    size_t len;
    const char *p = luaL_checklstring(L, 2, &len);

    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return native_fail(L, "write");
        }
        p += n;
        len -= (size_t)n;
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* poll({fd, …}, seconds) -> how many are readable or ended */
static int native_poll(lua_State *L)
{
    struct pollfd fds[POLL_MAX];
    lua_Integer count;
    int n;

    luaL_checktype(L, 1, LUA_TTABLE);
    count = luaL_len(L, 1);
    luaL_argcheck(L, count <= POLL_MAX, 1, "too many descriptors");
    for (lua_Integer i = 0; i < count; i++) {
        lua_geti(L, 1, i + 1); /* … fd */
        fds[i] = (struct pollfd){.fd = (int)luaL_checkinteger(L, -1), .events = POLLIN};
        lua_pop(L, 1);
    }
    n = poll(fds, (nfds_t)count, (int)(luaL_checknumber(L, 2) * 1000 + 0.999));
    lua_pushinteger(L, n < 0 ? 0 : n);
    return 1;
}

/* --- the rest
 * ------------------------------------------------------------------------------------------ */

/* now() -> seconds on the monotonic clock */
static int native_now(lua_State *L)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    lua_pushnumber(L, (lua_Number)t.tv_sec + (lua_Number)t.tv_nsec / 1e9);
    return 1;
}

/* datagrams(path) -> fd of a unix socket that receives them there, "@name" for an abstract one;
 * each read brings one */
static int native_datagrams(lua_State *L)
{
    size_t len;
    const char *path = luaL_checklstring(L, 1, &len);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    luaL_argcheck(L, len < sizeof a.sun_path, 1, "too long");
    memcpy(a.sun_path, path, len);
    if (path[0] == '@') {
        a.sun_path[0] = '\0';
    }
    if (fd < 0 || bind(fd, (struct sockaddr *)&a,
                       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0) {
        return native_fail(L, path);
    }
    lua_pushinteger(L, fd);
    return 1;
}

/* free_port() -> a TCP port on 127.0.0.1 that was free a moment ago */
static int native_free_port(lua_State *L)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) < 0) {
        return native_fail(L, "free_port");
    }
    close(fd);
    lua_pushinteger(L, ntohs(a.sin_port));
    return 1;
}

/* connect(port) -> fd of a TCP connection to 127.0.0.1 */
static int native_connect(lua_State *L)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_port = htons((uint16_t)luaL_checkinteger(L, 1));
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
        int failed = native_fail(L, "connect");

        close(fd);
        return failed;
    }
    lua_pushinteger(L, fd);
    return 1;
}

/* processes() -> {{pid = , ppid = , state = "S"}, …}: everyone's */
static int native_processes(lua_State *L)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;

    if (!proc) {
        return native_fail(L, "/proc");
    }
    lua_newtable(L); /* list */
    while ((entry = readdir(proc))) {
        char path[300];
        char stat[512] = "";
        FILE *f;
        char *end;
        char state;
        int ppid;

        snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || !(f = fopen(path, "re"))) {
            continue;
        }
        end = fgets(stat, sizeof stat, f) ? strrchr(stat, ')') : NULL;
        fclose(f);
        if (end && sscanf(end + 1, " %c %d", &state, &ppid) == 2) {
            lua_createtable(L, 0, 3);                          /* list process */
            lua_pushinteger(L, atoi(entry->d_name));           /* list process pid */
            lua_setfield(L, -2, "pid");                        /* list process */
            lua_pushinteger(L, ppid);                          /* list process ppid */
            lua_setfield(L, -2, "ppid");                       /* list process */
            lua_pushlstring(L, &state, 1);                     /* list process state */
            lua_setfield(L, -2, "state");                      /* list process */
            lua_seti(L, -2, (lua_Integer)luaL_len(L, -2) + 1); /* list */
        }
    }
    closedir(proc);
    return 1;
}

static const luaL_Reg functions[] = {
    {"mkdtemp", native_mkdtemp},
    {"open", native_open},
    {"pipe", native_pipe},
    {"close", native_close},
    {"read", native_read},
    {"write", native_write},
    {"poll", native_poll},
    {"now", native_now},
    {"free_port", native_free_port},
    {"processes", native_processes},
    {"datagrams", native_datagrams},
    {"connect", native_connect},
    {NULL, NULL},
};

void native_open_system(lua_State *L)
{
    if (folders.owner == 0) {
        folders.owner = getpid();
        atexit(remove_folders);
    }
    luaL_setfuncs(L, functions, 0);
}
