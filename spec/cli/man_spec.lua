-- The man pages: that they say what the tables say, and that formatters have no complaint.

local support = require "spec.support"
local moil = support.moil

local dir = support.tempdir()
local pages = {}
for name in moil({ "--help=pages" }).stdout:gmatch("[^\n]+") do pages[#pages + 1] = name end

-- What a reader sees of a page's source: without fonts, escapes and macros.
local function plain(text)
  text = text:gsub("\\f[BIR]", ""):gsub("\\%-", "-"):gsub("\\%(aq", "'"):gsub("\\%(dq", '"')
  text = text:gsub("\\e", "\\"):gsub("\\%(ha", "^"):gsub("\\%(ti", "~"):gsub("\\&", "")
  text = text:gsub("\\%[u(%x+)%]", function(hex) return utf8.char(tonumber(hex, 16)) end)
  return text
end

local source = {}
setup(function()
  for _, name in ipairs(pages) do
    local out = moil { "--help=man:" .. name }
    assert.equal(0, out.code, out.stderr)
    source[name] = out.stdout
    support.write(dir .. "/" .. name, out.stdout)
  end
end)

-- The commands and their summaries, as `moil --help` lists them.
local commands = {}
local list = moil({ "--help" }).stdout:match("\nCommands:\n(.-)\n\n") .. "\n"
for name, summary in list:gmatch("  (%S+) +([^\n]+)\n") do commands[name] = summary end
commands.help = nil

describe("the man pages", function()
  it("are moil(1), one for each command, moil.lua(5) and beat(5)", function()
    local expected = { "beat.5", "moil.1", "moil.lua.5" }
    for name in pairs(commands) do expected[#expected + 1] = "moil-" .. name .. ".1" end
    table.sort(expected)
    local sorted = table.move(pages, 1, #pages, 1, {})
    table.sort(sorted)
    assert.same(expected, sorted)
  end)

  it("are printed for a command, too", function()
    assert.equal(source["moil.1"], moil({ "--help=man" }).stdout)
    assert.equal(source["moil-call.1"], moil({ "call", "--help=man" }).stdout)
    local out = moil { "--help=man:moil-nothing.1" }
    assert.same({ 2, "" }, { out.code, out.stdout })
    assert.matches('^moil: there is no man page "moil%-nothing.1" [^\n]+\n$', out.stderr)
    assert.equal(2, moil({ "--help=woman" }).code)
    assert.equal(2, moil({ "--help=bash:x" }).code)
  end)

  it("have every option, subcommand and summary of their command", function()
    for name, summary in pairs(commands) do
      local page = plain(source["moil-" .. name .. ".1"])
      local help = moil({ "help", name }).stdout
      local flat = page:gsub("%s+", " ")
      assert.is_not_nil(flat:find("moil-" .. name .. " - " .. summary .. " .SH", 1, true), name)
      local options, verbs = 0, 0
      for flag, option in help:gmatch("\n  (....)%-%-([%l-]+)") do
        local row = (flag:match("%-%a, ") or "") .. "--" .. option
        local term = "\n.TP\n" .. row:gsub("%-", "%%-") .. "[ \n]"
        assert.is_not_nil(page:find(term), name .. " " .. row)
        options = options + 1
      end
      for verb, help_text in help:match("^(.*)\nOptions:"):gmatch("\n  (%l+)[^\n]-  +([^\n]+)") do
        if page:find("\n.SH COMMANDS\n", 1, true) then
          assert.is_not_nil(page:find("\n.TP\n" .. verb, 1, true), name .. " " .. verb)
          assert.is_not_nil(flat:find(help_text, 1, true), name .. " " .. help_text)
          verbs = verbs + 1
        end
      end
      assert.is_true(options >= 8, name)
      assert.equal(page:find("\n.SH COMMANDS\n", 1, true) ~= nil, verbs > 0, name)
    end
  end)

  it("have what the options mean, their defaults, variables and keys", function()
    local compared = 0
    for row in support.read("docs/options.md"):gmatch("[^\n]+") do
      local cells = {}
      for cell in (row:sub(3):gsub("\\|", "\1")):gmatch("(.-) |%s?") do
        cells[#cells + 1] = cell:gsub("\1", "|"):gsub("`", "")
      end
      local option, meaning, initial, env, key, of = table.unpack(cells)
      local command = of == "all" and "moil.1" or of and ("moil-%s.1"):format(of:match("^%w+"))
      if option and option:find("^[-]") and source[command] then
        compared = compared + 1
        local page = plain(source[command]):gsub("%s+", " ")
        assert.is_not_nil(page:find(meaning:match("^[^;]+"), 1, true), option)
        if initial ~= "" then
          assert.is_not_nil(page:find("default: " .. initial, 1, true), option)
        end
        if env ~= "" then
          assert.is_not_nil(page:find("environment: " .. env, 1, true), option)
          assert.is_not_nil(page:find(" .TP " .. env .. " ", 1, true), option)
        end
        if key ~= "" then
          assert.is_not_nil(page:find("config file: " .. key, 1, true), option)
          assert.is_not_nil(source["moil.lua.5"]:find("\n.TP\n\\fB" .. key .. "\\fR\n", 1, true))
        end
      end
    end
    assert.is_true(compared > 50)
    for _, key in ipairs { "routes", "task_defaults" } do
      assert.is_not_nil(source["moil.lua.5"]:find("\n.TP\n\\fB" .. key .. "\\fR\n", 1, true))
    end
  end)

  it("have each field of an entry, and no other", function()
    local known = {}
    local table_of_fields = support.read("src/beat/entry_fields.c")
    for name, reader in table_of_fields:gmatch('\n    {"([%l_]+)", ([%l_]+)') do
      if reader ~= "refuse_field" then known[name] = true end
    end
    local page, shown = source["beat.5"], {}
    local fields = page:match("\n.SH WHEN AN ENTRY IS DUE(.*)\n.SH EXAMPLES")
    for name in fields:gmatch("\n.TP\n\\fB([%l_]+)\\fR\n") do shown[name] = true end
    assert.is_true(known.task and known.cron)
    assert.same(known, shown)
  end)

  it("have examples that are so", function()
    for name, check in pairs { ["moil.lua.5"] = "--config %s/e.lua --help",
      ["beat.5"] = "beat next %s/e.lua -n 1" } do
      local example = plain(source[name]):match("\n.nf\n(return .-)\n.fi")
      support.write(dir .. "/e.lua", example)
      local out = support.sh(("%s/moil " .. check):format(support.build, dir))
      assert.equal(0, out.code, out.stderr)
    end
  end)
end)

-- A program that formats pages; without it only elsewhere than in CI nothing is compared.
local function formatter(program)
  if support.sh("command -v " .. program).code == 0 then return true end
  assert.is_nil(os.getenv("MOIL_CI"), program .. " is missing (`make deps`)")
  pending(program .. " is missing")
end

describe("a formatter", function()
  it("has no complaint: man --warnings", function()
    if not formatter "man" then return end
    local command = 'cd %s && for p in *.[15]; do LC_ALL=C.UTF-8 MANROFFSEQ= '
      .. 'man --warnings -E UTF-8 -l -Tutf8 -Z ./$p >/dev/null || echo "$p failed"; done'
    local out = support.sh(command:format(dir), { timeout = 60 })
    assert.same({ code = 0, stdout = "", stderr = "" }, out)
  end)

  it("has no complaint: mandoc -T lint", function()
    if not formatter "mandoc" then return end
    local out = support.sh(("cd %s && mandoc -T lint *.[15]"):format(dir))
    assert.same({ code = 0, stdout = "", stderr = "" }, out)
  end)
end)
