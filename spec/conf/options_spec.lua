local conf = require("spec.support").units.conf

local function load(command, args, env)
  local options, message = conf.load(command, args or {}, env)
  return assert(options, message)
end

local function refused(command, args, env)
  local options, message = conf.load(command, args or {}, env)
  assert.is_nil(options)
  assert.is_nil(message:find("%c"), "one line")
  return message
end

local function config(text)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
  finally(function() os.remove(path) end)
  return path
end

describe("options", function()
  it("have defaults", function()
    local o = load("worker")
    assert.equal(16, o.concurrency)
    assert.equal(25, o["shutdown-timeout"])
    assert.equal("moil", o.namespace)
    assert.equal("info", o["log-level"])
    assert.same({ -1, false }, { o.workers, o.burst })
    assert.same({ nil, nil }, { o.redis, o.queues })
    assert.same({}, o.operands)
    assert.same({ -1, -1, 1 },
      { load("call").priority, load("call").timeout, load("call")["repeat"] })
  end)

  it("come from the config file, then the environment, then flags", function()
    local path = config [[return { concurrency = 2, workers = 3, namespace = "file" }]]
    local flags = { "--config", path }
    assert.same({ 2, 3, "file" },
      (function(o) return { o.concurrency, o.workers, o.namespace } end)(load("worker", flags)))
    local env = { MOIL_CONCURRENCY = "4", MOIL_NAMESPACE = "env" }
    local o = load("worker", flags, env)
    assert.same({ 4, 3, "env" }, { o.concurrency, o.workers, o.namespace })
    o = load("worker", { "--config", path, "-c", "5" }, env)
    assert.same({ 5, 3, "env" }, { o.concurrency, o.workers, o.namespace })
    assert.equal(2, load("worker", {}, { MOIL_CONFIG = path }).concurrency)
  end)

  it("take an empty variable for an unset one", function()
    assert.equal(16, load("worker", {}, { MOIL_CONCURRENCY = "" }).concurrency)
  end)

  it("ignore variables that belong to other commands", function()
    load("call", {}, { MOIL_WORKERS = "many" })
    assert.matches("MOIL_WORKERS", refused("worker", {}, { MOIL_WORKERS = "many" }))
  end)

  it("are written in four ways", function()
    for _, args in ipairs { { "--workers", "2" }, { "--workers=2" }, { "-w", "2" }, { "-w2" } } do
      assert.equal(2, load("worker", args).workers)
    end
    assert.equal(3, load("worker", { "-w", "2", "-w3" }).workers)
    assert.equal("", load("call", { "--kwargs=x", "--", "" }).operands[1])
  end)

  it("leave operands, negative numbers and what follows -- alone", function()
    local o = load("call", { "math.add", "-1", "--wait", "-2.5e3", "-", "--", "--wait", "-x" })
    assert.same({ "math.add", "-1", "-2.5e3", "-", "--wait", "-x" }, o.operands)
    assert.is_true(o.wait)
  end)

  it("name the nearest known one", function()
    assert.equal("unknown option --concurency: did you mean --concurrency?",
      refused("worker", { "--concurency", "2" }))
    assert.equal("unknown option --concurency: did you mean --concurrency?",
      refused("worker", { "--concurency=2" }))
    assert.matches("unknown option %-%-frobnicate %(`moil help worker`",
      refused("worker", { "--frobnicate" }))
    assert.matches("unknown option %-x", refused("worker", { "-x" }))
    assert.matches("unknown option %-%-a b c", refused("worker", { "--a\nb\127c" }))
    assert.matches('--queue: "a b" is not a name', refused("call", { "--queue", "a\27b" }), 1, true)
    assert.matches("unknown option %-1x", refused("call", { "-1x" }))
  end)

  it("say which command an option belongs to", function()
    assert.equal("--concurrency is no option of `moil call`; it belongs to worker dev",
      refused("call", { "--concurrency", "2" }))
  end)

  it("take ids as a list, and again", function()
    assert.equal("a,b,c", load("call", { "--depends-on", "a,b", "--depends-on=c" })["depends-on"])
    assert.equal('--depends-on: "a,,b" is not a list of ids, with commas between them',
      refused("call", { "--depends-on", "a,,b" }))
  end)

  it("name the option, the value and what is allowed", function()
    for message, args in pairs {
      ['--workers: "0" is not a whole number from 1 to 256'] = { "-w", "0" },
      ['--workers: "-1" is not a whole number from 1 to 256'] = { "-w", "-1" },
      ['--workers: "2x" is not a whole number from 1 to 256'] = { "--workers=2x" },
      ['--workers: "" is not a whole number from 1 to 256'] = { "--workers=" },
      ['--workers: "99999999999999999999" is not a whole number from 1 to 256'] =
        { "-w99999999999999999999" },
      ['--shutdown-timeout: "nan" is not a number of seconds from 0.1 to 1000000000'] =
        { "--shutdown-timeout=nan" },
      ['--shutdown-timeout: "0x9" is not a number of seconds from 0.1 to 1000000000'] =
        { "--shutdown-timeout=0x9" },
      ['--memory-limit: "0" is not a whole number from 1 to 1048576'] = { "--memory-limit", "0" },
      ['--memory-limit: "-5" is not a whole number from 1 to 1048576'] = { "--memory-limit=-5" },
      ['--max-memory: "0" is not a whole number from 1 to 1048576'] = { "--max-memory=0" },
      ['--max-tasks: "0" is not a whole number from 1 to 1000000000'] = { "--max-tasks=0" },
      ['--time-limit: "0" is not a number of seconds from 0.01 to 1000000000'] =
        { "--time-limit", "0" },
      ['--soft-time-limit: "-1" is not a number of seconds from 0.01 to 1000000000'] =
        { "--soft-time-limit=-1" },
      ['--log-level: "loud" is not one of debug, info, warning, error'] = { "--log-level", "loud" },
      ["--burst takes no value"] = { "--burst=yes" },
      ["--workers needs a value: --workers N"] = { "--workers" },
      ["--workers needs a value: --workers N (or --workers=VALUE where it begins with dashes)"] =
        { "-w", "--burst" },
      ["--redis: the port in the Redis URL must be a number from 1 to 65535, after a \":\" " ..
        "(redis://host:6379)"] = { "--redis", "redis://:hush@h:x" },
      ['--pidfile: "" is not a value: it is empty'] = { "--pidfile=" },
    } do
      assert.equal(message, refused("worker", args))
    end
    assert.matches('^MOIL_CONCURRENCY: "many" is not',
      refused("worker", {}, { MOIL_CONCURRENCY = "many" }))
    assert.matches("--priority: \"10\" is not a whole number from 0 to 9",
      refused("call", { "--priority", "10" }))
    assert.matches("--eta: \"tomorrow\" is not a time", refused("call", { "--eta", "tomorrow" }))
    assert.matches("--namespace: \"a{b\" is not", refused("call", { "--namespace", "a{b" }))
    assert.matches("--queue: \"a b\" is not a name", refused("call", { "--queue", "a b" }))
  end)

  it("check lists of queues", function()
    for _, list in ipairs { "default", "high,default,low", "high:3,low:1" } do
      assert.equal(list, load("worker", { "-q", list }).queues)
    end
    for _, list in ipairs { ",", "a,", "a,,b", "a b", "a:0", "a:1001", ":1" } do
      assert.matches("is not a list of queues", refused("worker", { "-q", list }))
    end
    assert.matches("do not mix", refused("worker", { "-q", "a:1,b" }))
  end)

  it("read no file for --help and --version", function()
    assert.is_true(load("worker", { "--help", "--config", "/nonexistent" }).help)
    assert.is_true(load("worker", { "--version" }, { MOIL_WORKERS = "x" }).version)
    assert.is_true(load("worker", { "-h" }).help)
  end)

  it("may stand before the command", function()
    assert.equal(1, conf.find_command { "call" })
    assert.equal(4, conf.find_command { "--json", "--redis", "embedded", "call" })
    assert.equal(3, conf.find_command { "--redis=embedded", "--json", "call", "--wait" })
    assert.equal(2, conf.find_command { "--help" })
  end)

  it("survive any arguments", function()
    math.randomseed(11)
    local words = { "--", "-", "--wait", "--wait=1", "-w", "-q", "--eta", "=", "--=", "-=", "x",
      "-1", "--queue",
      "--priority=9", "--timeout", "1e999", "\255", "--\255=", "-\255", "", "--redis", "embedded",
        "--id=" .. ("i"):rep(300) }
    for _ = 1, 5000 do
      local args = {}
      for i = 1, math.random(0, 8) do args[i] = words[math.random(#words)] end
      local options, message = conf.load("call", args)
      assert(options or #message > 0)
    end
  end)
end)

describe("the config file", function()
  local function refused_file(text)
    local path = config(text)
    return (refused("worker", { "--config", path }):gsub(path, "FILE", 1,
      true):gsub(path:gsub("%p", "%%%0"), "FILE"))
  end

  it("gives options, routes and task defaults", function()
    local o = load("worker", { "--config", config [[
      local per_core = 8
      return {
        redis = "redis://cache:7000/1", workers = 2.0, concurrency = per_core * 4,
          shutdown_timeout = 2.5,
        queues = { "high", "default" }, log_format = "json",
        routes = { ["img.*"] = "images", ["mail.send"] = "mail" },
        task_defaults = { result_ttl = 60, ignore_result = true,
          headers = { list = { 1, 2.5, "x" }, none = {} } },
      }]] })
    assert.same({ "redis://cache:7000/1", 2, 32, 2.5, "high,default", "json" },
      { o.redis, o.workers, o.concurrency, o["shutdown-timeout"], o.queues, o["log-format"] })
    assert.equal('{"routes":{"img.*":"images","mail.send":"mail"},"task_defaults":{"headers":' ..
      '{"list":[1,2.5,"x"],"none":[]},"ignore_result":true,"result_ttl":60}}', o.config_json)
  end)

  it("may be empty of anything", function()
    assert.is_nil(load("worker", { "--config", config "return {}" }).config_json)
    assert.equal('{"routes":{}}',
      load("worker", { "--config", config "return { routes = {} }" }).config_json)
  end)

  it("is checked for every command", function()
    local path = config "return { workers = 'many' }"
    assert.equal(path .. ': workers: "many" is not a whole number from 1 to 256',
      refused("result", { "--config", path }))
  end)

  it("names file and line of what Lua refuses", function()
    assert.matches("^FILE:2: unexpected symbol near", refused_file "return {\n = }")
    assert.matches("^FILE:2: attempt to index a nil value", refused_file "\nlocal x = y.z")
    assert.matches("^FILE:1: bad thing$", refused_file "error 'bad thing'")
    assert.equal("FILE: bad thing", refused_file "error('bad thing', 0)")
    assert.equal("FILE: it raised table", refused_file "error {}")
    assert.matches("^FILE: .*binary chunk", refused_file(string.dump(function() end)))
  end)

  it("names the file and the key of what it does not know", function()
    assert.equal('FILE: unknown option "concurency": did you mean "concurrency"?',
      refused_file "return { concurency = 2 }")
    assert.equal('FILE: unknown option "route": did you mean "routes"?',
      refused_file "return { route = {} }")
    assert.matches('FILE: unknown option "frobnicate" %(', refused_file "return { frobnicate = 1 }")
    assert.equal("FILE: the table's keys must be names of options",
      refused_file "return { 'workers' }")
    assert.equal("FILE: it must return a table of options, and returned nothing", refused_file "")
    assert.equal("FILE: it must return a table of options, and returned number",
      refused_file "return 1")
    assert.equal("FILE: workers: a table is no value for this option",
      refused_file "return { workers = {} }")
    assert.equal("FILE: queues: it must be a string, or a list of strings",
      refused_file "return { queues = { 1 } }")
    assert.equal("FILE: name: it has a NUL byte in it", refused_file "return { name = 'a\\0b' }")
  end)

  it("takes plain data only", function()
    assert.equal("FILE: task_defaults.retry: a function is not plain data",
      refused_file "return { task_defaults = { retry = function() end } }")
    assert.equal("FILE: routes: it must be a table", refused_file "return { routes = 'images' }")
    assert.matches("^FILE: routes: it is {", refused_file "return { routes = { a = 1 } }")
    assert.matches("nested too deeply",
      refused_file "local t = {} t.t = t return { task_defaults = t }")
    assert.matches("^FILE: task_defaults.x: it cannot be JSON",
      refused_file "return { task_defaults = { x = 0/0 } }")
    assert.matches("^FILE: task_defaults.x: it cannot be JSON",
      refused_file "return { task_defaults = { x = '\\255' } }")
    assert.matches("keys must be", refused_file "return { task_defaults = { x = { 1, a = 2 } } }")
    assert.matches("keys must be", refused_file "return { task_defaults = { 1 } }")
  end)

  it("has no files, no code from outside and no way to catch its bounds", function()
    for _, name in ipairs { "os", "io", "require", "load", "loadfile", "dofile", "pcall", "print",
      "setmetatable", "debug" } do
      assert.equal('{"task_defaults":{"there":false}}',
        load("worker", { "--config",
          config("return { task_defaults = { there = " .. name .. " ~= nil } }") }).config_json)
    end
  end)

  it("is bounded in time and memory", function()
    assert.matches("^FILE:1: the config file took more than 1 s$", refused_file "while true do end")
    assert.equal("FILE: the config file needs more than 16 MB of memory",
      refused_file "return { name = ('x'):rep(1 << 25) }")
    assert.equal("FILE: the config file needs more than 16 MB of memory",
      refused_file "local t = {} for i = 1, 1e7 do t[i] = { i } end return {}")
  end)

  it("must be readable where it was named", function()
    assert.matches("cannot read the config file /nonexistent: No such file",
      refused("worker", { "--config", "/nonexistent" }))
    assert.matches("cannot read the config file /tmp: Is a directory",
      refused("worker", { "--config", "/tmp" }))
  end)
end)
