-- Every block of README.md and docs/ is run, page by page, in the order of the page.

local page = require "spec.docs.page"
local session = require "spec.docs.session"
local support = require "spec.support"

-- docs/options.md is printed by the program, without marks: each of its blocks is a config file.
local function read_page(name)
  local text = support.read(name)
  if name ~= "docs/options.md" then return text end
  return (text:gsub("\n```lua\n", "\n<!-- run: config -->%0"):gsub("%-%->\n\n", "-->\n"))
end

local names = {}
for name in io.popen("ls README.md CONTRIBUTING.md CHANGELOG.md docs/*.md"):lines() do
  -- The protocol has a spec of its own, which reads it.
  if name ~= "docs/protocol.md" then names[#names + 1] = name end
end

it("docs/protocol.md has a spec of its own", function()
  assert.matches("docs/protocol%.md", support.read("spec/docs/protocol_spec.lua"))
end)

for _, name in ipairs(names) do
  it(name .. " says what is so", function()
    local run = session.new(name)
    for _, step in ipairs(page.parse(name, read_page(name))) do run:run(step) end
    run:close()
  end)
end

describe("the links between pages", function()
  for _, name in ipairs(names) do
    it("lead somewhere from " .. name, function()
      local folder = name:match("^.*/") or ""
      for target in support.read(name):gmatch("%]%(([^)#%s]+)") do
        if not target:find("^%a+:") then
          assert.is_true(os.execute("test -e " .. folder .. target), name .. " → " .. target)
        end
      end
    end)
  end
end)
