local support = require "spec.support"
local moil = require "moil"

local LICENSE <const> = "/usr/share/common-licenses/GPL-3"
local STATUS <const> = "/var/lib/dpkg/status"
local COUNT <const> = "sort | uniq -c | sed 's/^ *//'"

describe("tasks/text.lua", function()
  local dir

  local function run(task, ...)
    return moil.send(task, table.pack(...)):get { timeout = 20, propagate = false }
  end

  local function file(text)
    return support.write(dir .. "/file", text)
  end

  -- { lines, words, bytes } of text.wc
  local function wc(path)
    local got = run("text.wc", path)
    assert.equal(path, got.path)
    return { got.lines, got.words, got.bytes }
  end

  -- What a shell command counts, in the C locale: "count key" lines → { key = count }.
  local function shell_counts(command)
    local counts = {}
    local out = support.sh("LC_ALL=C; export LC_ALL; " .. command)
    assert.equal("", out.stderr)
    for n, key in out.stdout:gmatch("(%d+) ([^\n]+)\n") do counts[key] = math.tointeger(n) end
    return counts
  end

  lazy_setup(function()
    local redis = support.redis()
    dir = support.tempdir()
    support.start_moil { "worker", "tasks/text.lua", "-w", "1", redis = redis }
    moil.connect(redis.url)
  end)

  it("counts lines, words and bytes as wc does", function()
    for _, path in ipairs { LICENSE, STATUS } do
      local expected = {}
      for n in support.sh("wc " .. path).stdout:gmatch("(%d+) ") do
        expected[#expected + 1] = math.tointeger(n)
      end
      assert.same(expected, wc(path))
    end
  end)

  it("counts files without lines, and without a newline at their end", function()
    assert.same({ 0, 0, 0 }, wc(file ""))
    assert.same({ 1, 3, 7 }, wc(file "a b\nccc"))
  end)

  it("counts words as an independent count does, over pieces too", function()
    local words = "tr 'A-Z' 'a-z' <%s | tr -cs 'a-z0-9\\200-\\377' '\\n' | grep -a . | "
    for _, path in ipairs { LICENSE, STATUS } do
      local expected = shell_counts(words:format(path) .. COUNT)
      local got = run("text.word_count", path)
      assert.same(expected, got.counts)
      local total, distinct = 0, 0
      for _, n in pairs(expected) do total, distinct = total + n, distinct + 1 end
      assert.same({ total, distinct }, { got.total, got.distinct })
    end
  end)

  it("keeps the most frequent words when told how many", function()
    local got = run("text.word_count", file "b a c a b d D d\n", { top = 2 })
    assert.same({ path = dir .. "/file", total = 8, distinct = 4, counts = { d = 3, a = 2 } }, got)
  end)

  it("keeps UTF-8 words whole, and makes other bytes presentable", function()
    local got = run("text.word_count", file "Grüße grüße caf\xe9 caf\xe8\n")
    assert.same({ ["grüße"] = 2, ["caf\u{FFFD}"] = 2 }, got.counts)
    assert.equal(4, got.total)
  end)

  it("tallies what a pattern captures in each line", function()
    local expected = shell_counts("sed -n 's/^Section: \\([^ ]*\\).*/\\1/p' " .. STATUS .. " | "
      .. COUNT)
    assert.same(expected, run("text.tally", STATUS, "^Section: (%S+)").counts)
    assert.same({}, run("text.tally", LICENSE, "^Section: (%S+)").counts)
    local _, err = run("text.tally", LICENSE)
    assert.equal("BadArgument", err.code)
  end)

  it("measures lines", function()
    assert.same({
      path = dir .. "/file", lines = 4, empty = 2, mean = 1.5, longest = 4, longest_line = 4,
    }, run("text.line_stats", file "ab\n\n\ncccc"))
    assert.same({
      path = dir .. "/file", lines = 0, empty = 0, mean = 0, longest = 0, longest_line = 0,
    }, run("text.line_stats", file ""))
    local longest = "LC_ALL=C awk '{if (length($0) > n) n = length($0)} END {print n}' " .. STATUS
    assert.equal(support.sh(longest).stdout, run("text.line_stats", STATUS).longest .. "\n")
  end)

  it("says clearly what it cannot read", function()
    local function refused(code, message, task, ...)
      local _, err = run(task, ...)
      assert.same({ code, task .. ": " .. message }, { err.code, err.message })
    end
    refused("NotFound", "/no/such/file: No such file or directory", "text.wc", "/no/such/file")
    refused("ReadFailed", "/: Is a directory", "text.wc", "/")
    refused("BadArgument", "the path (first argument) must be a string", "text.wc", 5)
    refused("TooLarge", "/dev/zero has a line of more than 1048576 bytes", "text.wc", "/dev/zero")
    refused("BadArgument", "options are { top = a whole number from 1 to 20000 }",
      "text.word_count", LICENSE, { top = 0 })
  end)

  it("refuses more words than a result holds, and names the way out", function()
    local words = {}
    for i = 1, 20001 do words[i] = "w" .. i end
    local path = file(table.concat(words, "\n"))
    local _, err = run("text.word_count", path)
    assert.equal("TooLarge", err.code)
    assert.matches("20001 different ones.* give { top = 1000 }$", err.message)
    assert.equal(20001, run("text.word_count", path, { top = 1 }).distinct)
  end)
end)
