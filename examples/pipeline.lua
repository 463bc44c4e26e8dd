-- The Lua side of examples/pipeline.c: a chain whose first task is written in C. The file knows of
-- that task no more than its name.

local moil = require "moil"

---What file.checksum found out, in words.
---@param found { path: string, bytes: integer, checksum: integer }
---@return string
moil.task("pipeline.describe", function(found)
  return ("%s has %d bytes, its checksum is %08x"):format(found.path, found.bytes, found.checksum)
end)

---@param self moil.Self
---@param path string
---  moil call pipeline.run README.md --wait
moil.task("pipeline.run", { bind = true }, function(self, path)
  self:replace(moil.chain(
    moil.signature("file.checksum", { path }), -- in C
    moil.signature("pipeline.describe")
  ))
end)
