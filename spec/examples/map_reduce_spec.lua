-- examples/map_reduce.lua with a real worker, its counts against tr, sort and uniq.

local support = require "spec.support"

describe("examples/map_reduce.lua", function()
  local EXAMPLE <const> = support.root .. "/examples/map_reduce.lua"
  local redis, dir

  local function run(...)
    local argv = { EXAMPLE, ... }
    argv.redis, argv.cwd, argv.timeout = redis, dir, 60
    if os.getenv("MOIL_SPEC_PRELOAD") then -- what sort leaks is not ours
      argv.env = { ASAN_OPTIONS = os.getenv("ASAN_OPTIONS") .. ":detect_leaks=0" }
    end
    return support.lua(argv)
  end

  -- What the program prints below its first line, by other means.
  local function counted_otherwise(files)
    local words = "LC_ALL=C; export LC_ALL; cat " .. files .. " | tr 'A-Z' 'a-z' | "
      .. "tr -cs 'a-z0-9\\200-\\377' '\\n' | grep -a . "
    local function shell(rest) return support.sh(words .. rest, { cwd = dir }).stdout end
    local total = math.tointeger(tonumber(shell "| wc -l"))
    local distinct = math.tointeger(tonumber(shell "| sort -u | wc -l"))
    local out = ("%d words, %d different ones:\n"):format(total, distinct)
    for n, word in shell("| sort | uniq -c | sort -k1,1nr -k2 | head -10")
      :gmatch("(%d+) ([^\n]+)\n") do
      out = out .. ("%8d  %s\n"):format(math.tointeger(n), word)
    end
    return out
  end

  local function counts_right(out, files)
    assert.equal("", out.stderr)
    assert.equal(0, out.code)
    assert.equal(counted_otherwise(files), (out.stdout:gsub("^[^\n]*\n", "")))
  end

  setup(function()
    redis, dir = support.redis(), support.tempdir()
    support.start_moil({ "worker", "-w", "1", EXAMPLE, redis = redis, cwd = dir })
      :read_until(" ready:", 20)
  end)

  it("counts the words of the project's own pages", function()
    counts_right(run(support.root .. "/docs"), support.root .. "/docs/*.md")
  end)

  it("counts those of any folder, whatever its name and its bytes are", function()
    local folder = dir .. "/it's a \"folder\""
    assert(support.sh("mkdir '" .. folder:gsub("'", "'\\''") .. "'").code == 0)
    support.write(folder .. "/one.txt", "Moon moon\nand toil, toil - toil\n")
    support.write(folder .. "/two.txt", "die Mühe, die MOON")
    support.write(folder .. "/other.c", "moon")
    local out = run(folder, "*.txt")
    assert.same({ 0, "" }, { out.code, out.stderr })
    assert.matches("^2 files; .* inspect workflow %x[%x-]+\n10 words, 5 different ones:\n" ..
      "       3  moon\n       3  toil\n       2  die\n       1  and\n       1  mühe\n$", out.stdout)
  end)

  it("has a chord that can be looked at", function()
    local id = run(support.root .. "/docs").stdout:match("inspect workflow (%S+)")
    local out = support.moil { "inspect", "workflow", id, redis = redis, env = { LC_ALL = "C" } }
    assert.same({ 0, "" }, { out.code, out.stderr })
    assert.matches("\nchord\n|%- group (%d+)/%1 +SUCCESS .*\n`%- map_reduce.merge +SUCCESS",
      out.stdout)
  end)

  it("says when there is nothing to count", function()
    for _, folder in ipairs { "/nowhere", dir, "" } do
      local out = run(folder, "*.none")
      assert.same({ 2, "" }, { out.code, out.stdout })
      assert.matches("^no file %*%.none in [^\n]*\n$", out.stderr)
    end
  end)
end)
