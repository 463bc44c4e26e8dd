-- The Lua module, `require "moil"`, built against an installed libmoil: run `make install`, then `luarocks make` with
-- this file in the same tree. moil.core reads the library's inner headers, so tree and library are of one version.
--
-- No type "builtin": that copies all of lua/, and lua/redis/ holds no modules.
package = "moil"
version = "scm-1"
source = {
  url = "git+file://.",
}
description = {
  summary = "A distributed task queue with tasks in Lua",
  detailed = "Enqueue jobs on Redis from Lua, wait for results, build workflows and schedules.",
  license = "MIT",
}
supported_platforms = { "linux" }
dependencies = {
  "lua ~> 5.4",
}
external_dependencies = {
  MOIL = { header = "moil.h", library = "libmoil.a" },
}
build = {
  type = "command",
  build_command = "$(CC) $(CFLAGS) -std=c11 -D_GNU_SOURCE -fvisibility=hidden -shared -Isrc "
    .. "-I$(MOIL_INCDIR) -I$(LUA_INCDIR) -o core.so src/api/lua_module.c -L$(MOIL_LIBDIR) "
    .. "-Wl,--exclude-libs,ALL -l:libmoil.a -lhiredis -luuid -ljansson -lev -lm -ldl -lpthread",
  install_command = "mkdir -p $(LUADIR)/moil $(LIBDIR)/moil && cp -r lua/moil/. $(LUADIR)/moil "
    .. "&& cp core.so $(LIBDIR)/moil/core.so",
}
