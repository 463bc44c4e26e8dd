-- Where the tree and the build are. Sets package.path and package.cpath so that specs load the
-- built modules.

local paths = { root = require("lfs").currentdir() }

local build <const> = os.getenv("BUILD") or "build"
paths.build = build:sub(1, 1) == "/" and build or paths.root .. "/" .. build

package.cpath = ("%s/spec/?.so;%s/lua/?.so;%s"):format(paths.build, paths.build, package.cpath)
package.path = ("%s/lua/?.lua;%s/lua/?/init.lua;%s"):format(paths.root, paths.root, package.path)

return paths
