/* A terminal of a spec's own: what a program that asks for one is shown, and told. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "native.h"

static int set_size(int fd, lua_Integer rows, lua_Integer columns)
{
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    return ioctl(fd, TIOCSWINSZ, &size);
}

/* terminal(rows, columns) -> our end (does not block), the program's end | nil, message */
static int native_terminal(lua_State *L)
{
    int ours = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), theirs = -1;
    if (ours >= 0 && grantpt(ours) == 0 && unlockpt(ours) == 0) {
        theirs = open(ptsname(ours), O_RDWR | O_NOCTTY | O_CLOEXEC);
    }
    if (theirs < 0 || set_size(ours, luaL_checkinteger(L, 1), luaL_checkinteger(L, 2)) < 0) {
        int err = errno;
        if (ours >= 0) {
            close(ours);
        }
        errno = err;
        return native_fail(L, "terminal");
    }
    lua_pushinteger(L, ours);
    lua_pushinteger(L, theirs);
    return 2;
}

/* resize(fd, rows, columns): the program is sent WINCH. */
static int native_resize(lua_State *L)
{
    int fd = (int)luaL_checkinteger(L, 1);
    if (set_size(fd, luaL_checkinteger(L, 2), luaL_checkinteger(L, 3)) < 0) {
        return native_fail(L, "resize");
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* is_raw(fd) -> whether keys come without Enter, whether they are echoed */
static int native_is_raw(lua_State *L)
{
    struct termios t;
    if (tcgetattr((int)luaL_checkinteger(L, 1), &t) < 0) {
        return native_fail(L, "is_raw");
    }
    lua_pushboolean(L, !(t.c_lflag & ICANON));
    lua_pushboolean(L, (t.c_lflag & ECHO) != 0);
    return 2;
}

/* dup(fd) -> another descriptor of the same */
static int native_dup(lua_State *L)
{
    int fd = fcntl((int)luaL_checkinteger(L, 1), F_DUPFD_CLOEXEC, 3);
    if (fd < 0) {
        return native_fail(L, "dup");
    }
    lua_pushinteger(L, fd);
    return 1;
}

static const luaL_Reg functions[] = {
    {"terminal", native_terminal},
    {"resize", native_resize},
    {"is_raw", native_is_raw},
    {"dup", native_dup},
    {NULL, NULL},
};

void native_open_terminal(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
}
