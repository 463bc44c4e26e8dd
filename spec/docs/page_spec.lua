-- Nothing in a page can go unexecuted in silence, and nothing wrong in it passes.

local page = require "spec.docs.page"
local session = require "spec.docs.session"

local function block(language, text)
  return ("```%s\n%s\n```\n"):format(language, text)
end

local function mark(text)
  return ("<!-- run: %s -->\n"):format(text)
end

describe("parsing a page", function()
  local function fails(message, text)
    local ok, wrong = pcall(page.parse, "p.md", text)
    assert.is_false(ok, "it was accepted")
    assert.equal(message, wrong)
  end

  it("finds blocks with their marks, and acts", function()
    assert.same({
      { line = 2, kind = "redis", argument = "", text = "" },
      { line = 5, kind = "sh", argument = "exit=1", language = "sh", text = "false\n" },
      { line = 12, kind = "output", argument = "", language = "text", text = " a\nb\n" },
    }, page.parse("p.md", "# t\n" .. mark "redis" .. "\n" .. mark "sh exit=1"
      .. block("sh", "false") .. "\n- list\n\n  " .. mark "output"
      .. "  ```text\n   a\n  b\n  ```\n"))
  end)

  it("refuses what would not be run", function()
    fails("p.md:1: a block without a mark would not be run", block("sh", "true"))
    fails("p.md:2: a block without a mark would not be run", "\n" .. block("text", "?"))
    fails("p.md:3: a block without a mark would not be run",
      mark "redis" .. "\n" .. block("lua", ""))
    fails("p.md:1: a block in a language that no spec runs: ''", block("", "x"))
    fails("p.md:2: a block in a language that no spec runs: 'python'",
      mark "sh" .. block("python", "x"))
    fails("p.md:2: 'diagram' is no way to run a block of sh", mark "diagram" .. block("sh", "true"))
    fails("p.md:2: 'sh' is no way to run a block of c", mark "sh" .. block("c", ""))
    fails("p.md:1: the mark 'sh' stands above no block", mark "sh" .. "\n" .. block("sh", "true"))
    fails("p.md:1: the mark 'whatever' stands above no block", mark "whatever")
    fails("p.md:1: a comment that is no mark", "<!-- run:sh -->\n" .. block("sh", "true"))
    fails("p.md:2: a block without an end", mark "sh" .. "```sh\ntrue\n")
    fails("p.md:3: an indented block: put it between fences", "text\n\n    $ true\n")
  end)
end)

describe("running a page", function()
  local function run(text)
    local s = session.new("p.md")
    local ok, wrong = pcall(function()
      for _, step in ipairs(page.parse("p.md", text)) do s:run(step) end
    end)
    s:close()
    return ok or wrong
  end

  it("takes what is right", function()
    assert.is_true(run(mark "sh" .. block("sh", "echo a 1 b; echo c >&2") .. mark "output"
      .. block("text", "a … b\nc") .. mark "sh exit=3" .. block("sh", "exit 3")))
    assert.is_true(run(mark "file d/f" .. block("sh", "echo hi") .. mark "sh"
      .. block("sh", "sh d/f") .. mark "output" .. block("text", "hi")))
    assert.is_true(run(mark "redis" .. mark "task t 1 => 2"
      .. block("lua", 'moil.task("t", function(x) return x + 1 end)')
      .. mark "lua" .. block("lua", "print(moil.uuid())") .. mark "output" .. block("text", "…-…")))
    assert.is_true(run(mark "elsewhere .ci/run" .. block("sh", "make deps && make demo # all")))
  end)

  it("refuses what is wrong, with its line", function()
    local function refused(pattern, text)
      local wrong = run(text)
      assert.is_string(wrong)
      assert.matches(pattern, wrong)
    end
    refused("^p.md:2: ended with 1 instead of 0", mark "sh" .. block("sh", "false\ntrue"))
    refused("^p.md:2: ended with 0 instead of 1", mark "sh exit=1" .. block("sh", "true"))
    refused("^p.md:6: prints\na\n\ninstead of\nb\n", mark "sh" .. block("sh", "echo a")
      .. mark "output" .. block("text", "b"))
    refused("^p.md:2: no step before it", mark "output" .. block("text", "b"))
    refused("^p.md:2: ended with 1 .*attempt to call a nil value", mark "lua"
      .. block("lua", "x()"))
    refused("^p.md:2: .*undeclared", mark "c" .. block("c", "int main(void) { return x; }"))
    refused("^p.md:2: .*unknown option", mark "config" .. block("lua", "return { wrokers = 1 }"))
    refused("^p.md:3: prints\n3\n\ninstead of\n2", mark "redis" .. mark "task t 1 => 2"
      .. block("lua", 'moil.task("t", function(x) return x + 2 end)'))
    refused("^p.md:2: .*ended before it wrote", mark "background ready" .. block("sh", "echo no"))
    refused("^p.md:2: 'make nonsense' does not stand", mark "elsewhere .ci/run"
      .. block("sh", "make nonsense"))
  end)
end)
