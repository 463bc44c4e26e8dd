-- `moil inspect workflow ID`: the tree in the terminal, the graph, the lines of JSON.

local support = require "spec.support"
local world = require "spec.redis.world"

local w

local function moil(args)
  args.redis = w.redis
  args[#args + 1] = "--namespace"
  args[#args + 1] = "w"
  args.env = args.env or { LC_ALL = "C.UTF-8" }
  return support.moil(args)
end

local function shown(id, ...)
  local out = moil { "inspect", "workflow", id, ... }
  assert.equal(0, out.code, out.stderr)
  assert.equal("", out.stderr)
  return out.stdout
end

local function refused(code, message, args)
  local out = moil(args)
  assert.same({ code, "", message .. "\n" }, { out.code, out.stdout, out.stderr })
end

-- A chord of a job, a chain and a job with an errback; its body.
local function accept_chord()
  w:accept {
    nodes = {
      { "body", plan = "1", task = "text.merge" },
      { "g", plan = "3", task = "moil.group", links = "sFbody uFg " },
      { "m2", plan = "1", task = "text.words", links = "hFg " },
      { "alert", plan = "1", task = "mail.alert" },
      { "m1", task = "text.words", links = "hFg " },
      { "m3", task = "text.words", links = "hFg e-alert " },
      { "h", task = "text.fetch", links = "sFm2 " },
    },
    members = { { "g", "m1", "m2", "m3" } },
    lines = { { "body", "body job g text.merge", "g group - moil.group", "h job - text.fetch",
      "m2 job h text.words", "alert error m3 mail.alert" } },
  }
end

-- A group of plain jobs in the given states, as the scripts leave them, put there by hand.
local function put_group(id, states)
  w.damaged = true
  w:key("RPUSH", "workflow:" .. id, id .. " group - moil.group")
  w:key("HSET", "jobs", id, world.record { task = "moil.group" })
  w:key("HSET", "deferred", id, tostring(#states))
  for i, state in ipairs(states) do
    local member = ("%s-%d"):format(id, i)
    w:key("RPUSH", "members:" .. id, member)
    w:key("HSET", "jobs", member, state == "PENDING" and world.record { task = "t.t" }
      or world.outcome { task = "t.t", state = state, value = '{"code":"E","message":"no ' .. i
        .. '"}' })
  end
end

setup(function() w = world.new() end)
teardown(function() w:stop() end)
before_each(function() w:reset() end)

describe("moil inspect workflow", function()
  it("draws a tree, with the state of each job", function()
    accept_chord()
    assert.equal([[
6 jobs: 3 PENDING, 3 DEFERRED
chord
├─ group 0/3                     DEFERRED  g
│  ├─ text.words                 PENDING   m1
│  ├─ chain
│  │  ├─ text.fetch              PENDING   h
│  │  └─ text.words              DEFERRED  m2
│  └─ text.words                 PENDING   m3
│     └─ on failure: mail.alert  DEFERRED  alert
└─ text.merge                    DEFERRED  body
]], shown "body")
  end)

  it("tells a failed job's error where it failed", function()
    accept_chord()
    w:run("m1", "1", { task = "text.words" })
    w:fetch(1)
    w:finish("m3", false, { task = "text.words" })
    assert.equal([[
6 jobs: 1 SUCCESS, 2 FAILURE, 2 PENDING, 1 DEFERRED
chord
|- group 2/3                     FAILURE   g
|  |- text.words                 SUCCESS   m1
|  |- chain
|  |  |- text.fetch              PENDING   h
|  |  `- text.words              DEFERRED  m2
|  `- text.words                 FAILURE   m3
|     |  no
|     `- on failure: mail.alert  PENDING   alert
`- text.merge                    FAILURE   body
]], moil({ "inspect", "workflow", "body", env = { LC_ALL = "C" } }).stdout)
  end)

  it("tells of a failure outside of it", function()
    w:enqueue("default", 5, { "other" })
    w:accept { nodes = { { "a", plan = "1", task = "t.a", links = "k-other " } },
      deps = { { "other", "nFa" } }, lines = { { "a", "a job - t.a" } } }
    w:run("other", false)
    assert.equal("1 job: 1 FAILURE\nt.a  FAILURE  a\n   job other (t) failed\n", shown "a")
  end)

  it("finds the error of the job that failed among many that failed because of it", function()
    local nodes, lines = {}, { "c150" }
    for i = 150, 1, -1 do
      local links = i < 150 and ("sFc%d "):format(i + 1) or ""
      nodes[#nodes + 1] = { "c" .. i, plan = i > 1 and "1" or "0", task = "t.t", links = links }
      lines[#lines + 1] = ("c%d job %s t.t"):format(i, i > 1 and "c" .. i - 1 or "-")
    end
    w:accept { nodes = nodes, lines = { lines } }
    w:run("c1", false, { task = "t.t",
      value = '{"code":"E","message":"the cause"}' })
    assert.equal([[
150 jobs: 150 FAILURE
chain
├─ t.t  FAILURE  c1
│     the cause
├─ t.t  FAILURE  c2
├─ t.t  FAILURE  c3
├─ t.t  FAILURE  c4
├─ t.t  FAILURE  c5
├─ … 144 more: 144 FAILURE
└─ t.t  FAILURE  c150
]], shown "c150")
  end)

  it("says no more of what was revoked than that", function()
    w:accept { nodes = { { "b", plan = "1", task = "t.b" }, { "a", task = "t.a", links = "sFb " } },
      lines = { { "b", "b job a t.b", "a job - t.a" } } }
    w:eval("revoke", "b", '{"code":"Revoked","message":"revoked"}', 100, 0)
    assert.equal("2 jobs: 1 REVOKED, 1 PENDING\nchain\n├─ t.a  PENDING  a\n└─ t.b  REVOKED  b\n",
      shown "b")
  end)

  it("shows of a large group the first few and those that failed", function()
    local states = {}
    for i = 1, 10000 do
      states[i] = i % 2500 == 0 and "FAILURE" or i <= 6000 and "SUCCESS" or "PENDING"
    end
    put_group("g", states)
    assert.equal([[
10000 jobs: 5998 SUCCESS, 4 FAILURE, 3998 PENDING
group 6002/10000  DEFERRED  g
├─ t.t            SUCCESS   g-1
├─ t.t            SUCCESS   g-2
├─ t.t            SUCCESS   g-3
├─ t.t            SUCCESS   g-4
├─ t.t            SUCCESS   g-5
├─ t.t            FAILURE   g-2500
│     no 2500
├─ t.t            FAILURE   g-5000
│     no 5000
├─ t.t            FAILURE   g-7500
│     no 7500
├─ t.t            FAILURE   g-10000
│     no 10000
└─ … 9991 more: 5993 SUCCESS, 3998 PENDING
]], shown "g")
    local lines = shown("g", "--json")
    assert.equal(10001, select(2, lines:gsub("\n", "")))
  end)

  it("shows ten of the failed at most, and up to twenty of a group as they are", function()
    local states = {}
    for i = 1, 20 do states[i] = "FAILURE" end
    put_group("small", states)
    assert.matches("20/20", shown "small")
    assert.is_nil(shown("small"):find("more", 1, true))
    for i = 21, 50 do states[i] = "REVOKED" end
    put_group("large", states)
    assert.matches("\n└─ … 35 more: 5 FAILURE, 30 REVOKED\n$", shown "large")
  end)

  it("shows of a long chain its ends, and what is under way", function()
    local nodes, lines = {}, { "c100" }
    for i = 100, 1, -1 do
      local next_one = i < 100 and ("sFc%d "):format(i + 1) or ""
      nodes[#nodes + 1] = { "c" .. i, plan = i > 1 and "1" or "0", task = "t.t", links = next_one }
      lines[#lines + 1] = ("c%d job %s t.t"):format(i, i > 1 and "c" .. i - 1 or "-")
    end
    w:accept { nodes = nodes, lines = { lines } }
    for i = 1, 40 do w:run("c" .. i, "1", { task = "t.t" }) end
    w:fetch(1)
    assert.equal([[
100 jobs: 40 SUCCESS, 1 STARTED, 59 DEFERRED
chain
├─ t.t  SUCCESS   c1
├─ t.t  SUCCESS   c2
├─ t.t  SUCCESS   c3
├─ t.t  SUCCESS   c4
├─ t.t  SUCCESS   c5
├─ … 35 more: 35 SUCCESS
├─ t.t  STARTED   c41
├─ … 58 more: 58 DEFERRED
└─ t.t  DEFERRED  c100
]], shown "c100")
  end)

  it("prints one object a node", function()
    accept_chord()
    local rows = {}
    for line in shown("body", "--json"):gmatch("[^\n]+") do
      rows[#rows + 1] = support.json_decode(line)
    end
    local ids = {}
    for i, row in ipairs(rows) do ids[i] = row.id end
    assert.same({ "g", "m1", "h", "m2", "m3", "alert", "body" }, ids)
    assert.same({ id = "g", kind = "group", state = "DEFERRED", count = 3,
      states = { PENDING = 2, DEFERRED = 1 } }, rows[1])
    assert.same({ id = "m2", kind = "job", task = "text.words", state = "DEFERRED", after = "h",
      group = "g" }, rows[4])
    assert.same({ id = "alert", kind = "job", task = "mail.alert", state = "DEFERRED",
      after = "m3", on = "failure" }, rows[6])
  end)

  it("fits the terminal, and has colours there alone", function()
    accept_chord()
    w:run("m1", "1", { task = "a.task.with.a.name.that.is.long" })
    local command = ("script -qec 'stty cols %d; %s inspect workflow body --namespace w' /dev/null")
    local function lines_at(columns, env)
      env.LC_ALL, env.TERM = "C.UTF-8", "xterm"
      local out = support.sh(command:format(columns, support.binary),
        { redis = w.redis, env = env })
      assert.equal(0, out.code, out.stdout)
      return out.stdout
    end
    local narrow = lines_at(38, { NO_COLOR = "1" })
    assert.is_nil(narrow:find("\27", 1, true))
    for line in narrow:gmatch("[^\r\n]+") do assert.is_true(utf8.len(line) <= 38, line) end
    assert.matches("on failure:…  DEFERRED  alert", narrow)
    assert.matches("\27%[32mSUCCESS   \27%[0mm1\r?\n", lines_at(120, {}))
  end)

  it("says what an id is that is no workflow's", function()
    refused(5, "moil: no workflow has the id nobody: it was never enqueued, or has expired",
      { "inspect", "workflow", "nobody" })
    local function is_job(id)
      refused(5, ("moil: %s is a job: moil inspect job %s (a workflow has the id of its last job, "
        .. "its group or its chord's body)"):format(id, id), { "inspect", "workflow", id })
    end
    w:enqueue("default", 5, { "alone" })
    is_job "alone"
    w:fetch(1)
    w:finish("alone", "1")
    is_job "alone"
    w:accept { nodes = { { "b", plan = "1" }, { "a", links = "sFb " } },
      lines = { { "b", "b job a t", "a job - t" } } }
    is_job "a"
    w:eval("enqueue", "default", 5, 0, "m", world.record { extra = '{"group_id":"g"}' })
    refused(5, "moil: m is a member of a group: moil inspect workflow g",
      { "inspect", "workflow", "m" })
  end)

  it("draws a group within a workflow by its members", function()
    accept_chord()
    assert.equal([[
3 jobs: 2 PENDING, 1 DEFERRED
group 0/3      DEFERRED  g
├─ text.words  PENDING   m1
├─ text.words  DEFERRED  m2
└─ text.words  PENDING   m3
]], shown "g")
    w:run("m1", "1", { task = "text.words" })
    w:run("m3", "1", { task = "text.words" })
    w:run("h", "1", { task = "text.fetch" })
    w:run("m2", "1", { task = "text.words" })
    assert.matches("^3 jobs: 3 SUCCESS\ngroup 3/3 +SUCCESS  g\n", shown "g")
  end)

  it("refuses what does not go together", function()
    refused(2, "moil: the workflow's id is missing (--help shows the usage)",
      { "inspect", "workflow" })
    refused(2, "moil: --dot and --json do not go together",
      { "inspect", "workflow", "a", "--dot", "--json" })
    refused(2, "moil: --dot goes with: moil inspect workflow ID",
      { "inspect", "job", "a", "--dot" })
    refused(2, "moil: an id is 1 to 200 printable characters without space",
      { "inspect", "workflow", "a b" })
  end)
end)

describe("moil inspect workflow --dot", function()
  local GRAPHVIZ <const> = os.execute("command -v dot >/dev/null 2>&1") == true
  local IN_CI <const> = os.getenv("CI") or os.getenv("MOIL_CI")

  -- What a line may be, with S for what stands in quotes.
  local FORMS <const> = {
    "^digraph S {$", "^ *}$", "^  rankdir=LR;$", "^  subgraph S {$", "^  node %[[%w=, S]+%];$",
    "^  S %[[%w=, S]+%];$", "^  S %-> S;$", "^  S %-> S %[[%w=, S]+%];$",
  }

  -- Whether Graphviz takes it, and how many nodes it draws; without it only whether each line has a
  -- form that it takes.
  local function check(text)
    for line in text:gmatch("[^\n]+") do
      local bare, fits = line:gsub('"[^"]*"', "S"), false
      for _, form in ipairs(FORMS) do fits = fits or bare:find(form) ~= nil end
      assert.is_true(fits, line)
    end
    if GRAPHVIZ then
      local path = support.write(support.tempdir() .. "/graph.dot", text)
      local out = support.sh("dot -Tsvg " .. path .. " | grep -c '<g id=\"node'")
      assert.equal("", out.stderr)
      return tonumber(out.stdout)
    end
  end

  local has_graphviz = GRAPHVIZ and it or IN_CI and function(name)
    it(name, function() error("there is no Graphviz: `make deps` installs it") end)
  end or function(name)
    pending(name .. ": there is no Graphviz: `make deps` installs it")
  end

  it("is a graph of boxes, and ellipses for groups", function()
    accept_chord()
    local text = shown("body", "--dot")
    check(text)
    assert.matches('  "m2" %[label="text.words\\nDEFERRED", fillcolor="#ffffff", tooltip="m2"%];\n',
      text)
    assert.matches('  "g" %[label="group 0/3\\nDEFERRED", fillcolor="#ffffff", shape=ellipse', text)
    assert.matches('\n  "h" %-> "m2";\n', text)
    assert.matches('\n  "m2" %-> "g";\n', text)
    assert.matches('\n  "g" %-> "body";\n', text)
    assert.matches('\n  "m3" %-> "alert" %[style=dashed, color="#c0392b"%];\n', text)
  end)

  has_graphviz("is what Graphviz takes", function()
    accept_chord()
    assert.equal(7, check(shown("body", "--dot")))
    local states = {}
    for i = 1, 300 do states[i] = i == 200 and "FAILURE" or "SUCCESS" end
    put_group("g300", states)
    assert.equal(8, check(shown("g300", "--dot"))) -- 5, the failed one, the rest, and the group
  end)

  has_graphviz("has each name escaped", function()
    local odd = { 'q"', "b\\", "\\N", '\\"', "a\\\\", "<b>", "{x|y}", "];", "->", "\\n" }
    local nodes, lines = {}, { odd[#odd] .. "x" }
    for i = #odd, 1, -1 do
      nodes[#nodes + 1] = { odd[i] .. "x", plan = i > 1 and "1" or "0", task = odd[i],
        links = i < #odd and "sF" .. odd[i + 1] .. "x " or "" }
      lines[#lines + 1] = ("%sx job %s %s"):format(odd[i], i > 1 and odd[i - 1] .. "x" or "-",
        odd[i])
    end
    w:accept { nodes = nodes, lines = { lines } }
    local path = support.write(support.tempdir() .. "/odd.dot", shown(odd[#odd] .. "x", "--dot"))
    local out = support.sh("dot -Tplain " .. path)
    assert.same({ 0, "" }, { out.code, out.stderr })
    assert.equal(#odd, select(2, out.stdout:gsub("\nnode ", "")))
    assert.equal(#odd - 1, select(2, out.stdout:gsub("\nedge ", "")))
  end)
end)
