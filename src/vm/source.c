/* source.c: see source.h. */
#include "vm/source.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "vm/state.h"

static const char vm_key; /* in the registry: the vm */

void moil_source_open(lua_State *L, struct vm *vm)
{
    lua_pushlightuserdata(L, vm); /* vm */
    lua_rawsetp(L, LUA_REGISTRYINDEX, &vm_key);
}

struct vm *moil_source_vm(lua_State *L)
{
    struct vm *vm;

    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key); /* vm */
    vm = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return vm;
}

void moil_source_note(struct vm *vm, enum snapshot_kind kind, const char *name, const char *value)
{
    if (vm->record) {
        moil_snapshot_add(vm->record, kind, slice_str(name), slice_str(value));
    }
}

void moil_source_real(lua_State *L, const struct vm *vm, const char *path, char *real)
{
    struct slice found;

    if (vm->snapshot && moil_snapshot_find(vm->snapshot, SNAPSHOT_PATH, slice_str(path), &found) &&
        found.n < PATH_MAX) {
        memcpy(real, found.p, found.n + 1);
    } else if (!realpath(path, real)) {
        luaL_error(L, "%s: %s", path, strerror(errno));
    }
}

bool moil_source_find(const struct vm *vm, const char *path, struct slice *text)
{
    struct slice real;

    return vm->snapshot &&
           moil_snapshot_find(vm->snapshot, SNAPSHOT_PATH, slice_str(path), &real) &&
           moil_snapshot_find(vm->snapshot, SNAPSHOT_SOURCE, real, text);
}

/* Reads what is left of a file to the buffer; false when it cannot. [-0, +?, m] */
static bool read_rest(FILE *f, luaL_Buffer *b)
{
    size_t n, all = 0;

    do {
        n = fread(luaL_prepbuffer(b), 1, LUAL_BUFFERSIZE, f);
        luaL_addsize(b, n);
        all += n;
    } while (n > 0 && all <= MOIL_SOURCE_MAX);
    return !ferror(f) && all <= MOIL_SOURCE_MAX;
}

static int close_stream(lua_State *L)
{
    luaL_Stream *stream = luaL_checkudata(L, 1, LUA_FILEHANDLE);

    fclose(stream->f);
    return 0;
}

/* Pushes the text of a file on disk. [-0, +1, e] */
static void push_from_disk(lua_State *L, const char *path)
{
    luaL_Stream *stream = lua_newuserdatauv(L, sizeof *stream, 0); /* stream */
    luaL_Buffer b;

    stream->closef = NULL; /* nothing to close yet */
    luaL_setmetatable(L, LUA_FILEHANDLE);
    stream->f = fopen(path, "rbe");
    if (!stream->f) {
        luaL_error(L, "cannot open %s: %s", path, strerror(errno));
        return;
    }
    stream->closef = close_stream; /* for an error in between */
    luaL_buffinit(L, &b);
    errno = 0;
    bool ok = read_rest(stream->f, &b);
    int reason = errno;
    stream->closef = NULL;
    fclose(stream->f);
    if (!ok) {
        luaL_error(L, "cannot read %s: %s", path,
                   reason ? strerror(reason) : "it is larger than 16 MB");
        return;
    }
    luaL_pushresult(&b); /* stream text */
    lua_remove(L, -2);   /* text */
}

static void note_source(lua_State *L, struct vm *vm, const char *path, struct slice text)
{
    char real[PATH_MAX];

    moil_source_real(L, vm, path, real);
    moil_source_note(vm, SNAPSHOT_PATH, path, real);
    moil_snapshot_add(vm->record, SNAPSHOT_SOURCE, slice_str(real), text);
}

/* As luaL_loadfilex: without a byte order mark, and with a first line that begins with '#' left
 * blank. */
static struct slice without_head(struct slice text)
{
    if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0) {
        text = slice_of(text.p + 3, text.n - 3);
    }
    if (text.n > 0 && text.p[0] == '#') {
        const char *end = memchr(text.p, '\n', text.n);
        size_t skipped = end ? (size_t)(end - text.p) : text.n;
        text = slice_of(text.p + skipped, text.n - skipped);
    }
    return text;
}

void moil_source_load(lua_State *L, struct vm *vm, const char *path)
{
    struct slice text = {0};
    int status;

    if (!moil_source_find(vm, path, &text)) {
        push_from_disk(L, path); /* text */
        text.p = lua_tolstring(L, -1, &text.n);
        if (vm->record) {
            note_source(L, vm, path, text);
        }
    } else {
        lua_pushnil(L); /* text */
    }
    text = without_head(text);
    lua_pushfstring(L, "@%s", path); /* text name */
    status = luaL_loadbufferx(L, text.p, text.n, lua_tostring(L, -1), "t");
    lua_replace(L, -3); /* chunk name */
    lua_pop(L, 1);      /* chunk */
    if (status != LUA_OK) {
        lua_error(L);
    }
}

int moil_source_chunk(lua_State *L)
{
    moil_source_load(L, moil_source_vm(L), luaL_checkstring(L, 1));
    return 1;
}

/* Pushes `file` when it is in the snapshot. [-0, +0|1, m] */
static bool push_if_there(lua_State *L, const struct vm *vm, const char *file)
{
    struct slice real;

    if (!moil_snapshot_find(vm->snapshot, SNAPSHOT_PATH, slice_str(file), &real)) {
        return false;
    }
    lua_pushstring(L, file); /* file */
    return true;
}

bool moil_source_push_place(lua_State *L, const struct vm *vm, const char *module)
{
    int top = lua_gettop(L);
    const char *path, *end;

    if (!vm->snapshot) {
        return false;
    }
    luaL_gsub(L, module, ".", "/"); /* relative */
    lua_getglobal(L, "package");    /* relative package */
    lua_getfield(L, -1, "path");    /* relative package path */
    for (path = lua_tostring(L, -1); path && *path; path = *end ? end + 1 : end) {
        end = strchrnul(path, ';');
        lua_pushlstring(L, path, (size_t)(end - path));                   /* … template */
        luaL_gsub(L, lua_tostring(L, -1), "?", lua_tostring(L, top + 1)); /* … template file */
        if (push_if_there(L, vm, lua_tostring(L, -1))) {
            /* … template file file */
            lua_replace(L, top + 1);
            lua_settop(L, top + 1); /* file */
            return true;
        }
        lua_pop(L, 2);
    }
    lua_settop(L, top);
    return false;
}
