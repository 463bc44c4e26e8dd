local support = require "spec.support"
local moil = require "moil"

describe("tasks/program.lua", function()
  local redis, dir

  local function run(argv, options)
    return moil.send("program.run", { argv, options }):get { timeout = 10, propagate = false }
  end

  local function start(programs)
    redis = support.redis()
    dir = support.tempdir()
    moil.connect(redis.url)
    return support.start_moil {
      "worker", "tasks/program.lua", "-w", "1", redis = redis, env = { MOIL_PROGRAMS = programs },
    }
  end

  describe("with programs allowed", function()
    lazy_setup(function() start("wc, sleep,/bin/sh,yes,cat") end)

    it("gives exit code and output", function()
      assert.same({ code = 0, stdout = "2\n", stderr = "", timed_out = false, truncated = false },
        run({ "wc", "-l" }, { input = "a\nb\n" }))
    end)

    it("takes words as they are, for there is no shell", function()
      local name = dir .. "/a b;$(c)"
      support.write(name, "x\n")
      assert.equal("1 " .. name .. "\n", run({ "wc", "-l", name }).stdout)
    end)

    it("fails when the program fails, with what it said", function()
      local _, err = run { "wc", "/no/such/file" }
      assert.equal("ProgramFailed", err.code)
      assert.equal("wc: exit code 1: wc: /no/such/file: No such file or directory", err.message)
      _, err = run { "/bin/sh", "-c", "kill -9 $$" }
      assert.equal("/bin/sh: signal 9", err.message)
      assert.equal(1, run({ "wc", "/no/such/file" }, { check = false }).code)
    end)

    it("ends a program that takes too long, and its children", function()
      local _, err = run({ "/bin/sh", "-c", "sleep 60; true" }, { timeout = 0.1 })
      assert.same({ "Timeout", "/bin/sh: ended after 0.1 s" }, { err.code, err.message })
    end)

    it("ends a program that writes too much", function()
      local _, err = run { "yes" }
      assert.equal("TooLarge", err.code)
      assert.equal("yes: ended as it wrote more than 262144 bytes", err.message)
    end)

    it("makes bytes that are no UTF-8 presentable", function()
      local path = support.write(dir .. "/latin1", "caf\xe9 \xff\xfe é\n")
      assert.equal("caf\u{FFFD} \u{FFFD}\u{FFFD} é\n", run { "cat", path }.stdout)
    end)

    it("refuses programs that are not listed, and bad options", function()
      local function refused(code, message, ...)
        local _, err = run(...)
        assert.same({ code, "program.run: " .. message }, { err.code, err.message })
      end
      refused("NotAllowed", '"sh" is not in the MOIL_PROGRAMS of this worker', { "sh" })
      refused("NotAllowed", '"/usr/bin/wc" is not in the MOIL_PROGRAMS of this worker',
        { "/usr/bin/wc" })
      refused("BadArgument", 'takes a list such as ["wc", "-l", "/etc/passwd"]', "wc")
      refused("BadArgument", "unknown option 'cwd'", { "wc" }, { cwd = "/" })
      refused("BadArgument", "timeout must be a number", { "wc" }, { timeout = "1" })
      refused("BadArgument", "timeout must be more than 0 and at most 3600 seconds", { "wc" },
        { timeout = 4000 })
    end)
  end)

  describe("without MOIL_PROGRAMS", function()
    it("runs nothing", function()
      local worker = start(false)
      local _, err = run { "wc" }
      assert.equal("NotAllowed", err.code)
      assert.equal(0, worker:stop())
    end)
  end)
end)
