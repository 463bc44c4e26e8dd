-- The judge itself: that it passes what is right, and that it fails on each planted fault.

local dump = require "spec.chaos.dump"
local judge = require "spec.chaos.judge"
local ledger = require "spec.chaos.ledger"

-- A case in which one job of a kind was enqueued, ran with the incarnation "inc" in process 20 of
-- node 10, and ended; `change` breaks it.
local function case_of(change)
  local case = {
    book = { "try a noop 0 1.0", "ack a 1.1" },
    runs = { "start a 0 20 10 inc 2.0", "stop a 0 20 10 inc 2.1" },
    records = { a = 'R1 SUCCESS default 5 0 1 1 1 1 9 inc chaos.noop 3 0\n"a"' },
    killed = {},
    fenced = {},
    cuts = {},
    lists = {}, inflight = {}, recovering_ids = {}, delayed = {}, dead = {},
  }
  if change then change(case) end
  local records = {}
  for id, bytes in pairs(case.records) do
    records[id] = dump.record(bytes) or { damaged = bytes }
  end
  return judge.case {
    books = {
      ledger.parse(table.concat(case.book, "\n")),
      ledger.parse(table.concat(case.runs, "\n")),
    },
    dump = {
      records = records, lists = case.lists, inflight = case.inflight,
      recovering_ids = case.recovering_ids, delayed = case.delayed, dead = case.dead,
    },
    killed = case.killed,
    fenced = case.fenced,
    cuts = case.cuts,
  }
end

local function verdict(change)
  return judge.verdict(case_of(change))
end

local function add(list, ...)
  for _, item in ipairs { ... } do list[#list + 1] = item end
end

-- One fault, that says this.
local function assert_fault(pattern, change)
  local faults = verdict(change)
  assert.equal(1, #faults, table.concat(faults, "\n"))
  assert.matches(pattern, faults[1])
end

local DOOMED <const> = 'R1 FAILURE default 5 1 1 1 1 1 0 inc chaos.doomed 17 37\n{"code":"Doomed"}'
  .. "J1 default 5 1 0 0 1 chaos.doomed 2 0 0\n[]"

local function make_doomed(c)
  c.book = { "try a doomed 0 1.0", "ack a 1.1" }
  c.runs = { "start a 0 20 10 inc 2.0", "start a 1 20 10 inc 3.0" }
  c.records.a = DOOMED:gsub("17 37", ("17 %d"):format(#DOOMED:match("}(J1.*)$")))
  c.dead = { "a" }
end

describe("the judge", function()
  it("passes what is right", function()
    assert.same({}, verdict())
    assert.same({}, verdict(make_doomed))
  end)

  it("passes a job that was tried and never acknowledged, and is not there", function()
    assert.same({}, verdict(function(c) c.book[3] = "try b noop 0 1.2" end))
  end)

  it("passes a second run after the first one's worker, node or fence ended it", function()
    local cuts = { { "killed", 20 }, { "killed", 10 }, { "fenced", "inc" }, { "fenced", 10 } }
    for _, cut in ipairs(cuts) do
      assert.same({}, verdict(function(c)
        add(c.runs, "start a 0 21 11 other 3.0")
        c.records.a = c.records.a:gsub(" inc ", " other ")
        c[cut[1]][cut[2]] = "on purpose"
      end))
    end
  end)

  it("passes a second run by a worker that did not know yet that it was taken for dead", function()
    for _, fenced in ipairs { "other", 11 } do
      assert.same({}, verdict(function(c)
        add(c.runs, "start a 0 21 11 other 3.0")
        c.fenced[fenced] = true
      end))
    end
  end)

  it("finds a lost job", function()
    assert_fault("job a %(noop%): lost", function(c) c.records.a = nil end)
  end)

  it("passes one that leaves no record, when it ran or was revoked", function()
    local function gone(c)
      c.book = { "try a fleeting 0 1.0", "ack a 1.1" }
      c.records, c.runs = {}, {}
    end
    assert_fault("lost", gone)
    assert.same({}, verdict(function(c)
      gone(c)
      c.runs = { "start a 0 20 10 inc 2.0" }
    end))
    assert.same({}, verdict(function(c)
      gone(c)
      add(c.book, "revoking a true 2.0", "revoked a STARTED 2.1")
    end))
  end)

  it("finds a job that has not ended", function()
    assert_fault("has not ended", function(c)
      c.records.a = "J1 default 5 0 0 0 1 chaos.noop 2 0 0\n[]"
    end)
  end)

  it("finds a damaged record", function()
    assert_fault("damaged", function(c) c.records.a = "R1 nonsense" end)
  end)

  it("finds a job that nobody enqueued", function()
    assert_fault("job b: nobody enqueued it", function(c)
      c.records.b = c.records.a
    end)
    assert_fault("ran or was revoked, and nobody enqueued it", function(c)
      add(c.runs, "start b 0 20 10 inc 2.0")
    end)
  end)

  it("finds a job that ended and is in a queue, in flight, delayed or dead too", function()
    local places = {
      { "lists", "default:5", { "a" } }, { "inflight", "inc", { "a" } },
      { "recovering_ids", "inc", { "a" } }, { "delayed", 1, "a" },
    }
    for _, place in ipairs(places) do
      assert_fault("SUCCESS, and yet in ", function(c) c[place[1]][place[2]] = place[3] end)
    end
    assert_fault("SUCCESS, and in the dead set", function(c) c.dead = { "a" } end)
  end)

  it("finds a job in two places", function()
    local faults = verdict(function(c)
      c.records.a = "J1 default 5 0 0 0 1 chaos.noop 2 0 0\n[]"
      c.lists["default:5"] = { "a", "a" }
    end)
    assert.matches("in queue default:5, queue default:5 at once", table.concat(faults, "\n"))
  end)

  it("finds an entry without a record", function()
    assert_fault("job b: in delayed without a record", function(c) c.delayed = { "b" } end)
  end)

  it("finds a failure that is not in the dead set", function()
    assert_fault("FAILURE, and not in the dead set", function(c)
      make_doomed(c)
      c.dead = {}
    end)
  end)

  it("finds a wrong state, a wrong code, and another job's result", function()
    assert_fault("SUCCESS, not FAILURE", function(c)
      c.book[1] = "try a doomed 0 1.0"
      c.records.a = c.records.a:gsub(" 5 0 1 ", " 5 1 1 ")
    end)
    assert_fault("FAILURE, not FAILURE: .*Loomed", function(c)
      make_doomed(c)
      c.records.a = c.records.a:gsub("Doomed", "Loomed")
    end)
    assert_fault("another job's result", function(c)
      c.records.a = c.records.a:gsub('"a"', '"b"')
    end)
  end)

  it("finds REVOKED where nobody asked", function()
    assert_fault("REVOKED, and nobody asked", function(c)
      c.records.a = c.records.a:gsub("SUCCESS", "REVOKED")
    end)
    assert.same({}, verdict(function(c)
      c.records.a = c.records.a:gsub("SUCCESS", "REVOKED")
      add(c.book, "revoking a true 2.0", "revoked a STARTED 2.05")
    end))
  end)

  it("passes a job that expired where its kind does", function()
    local function expired(c)
      c.records.a = c.records.a:gsub("SUCCESS", "REVOKED"):gsub("3 0\n.*", "18 0\n")
        .. '{"code":"Expired"}'
    end
    assert_fault("REVOKED, and nobody asked", expired)
    assert.same({}, verdict(function(c)
      expired(c)
      c.book[1] = "try a brief 0 1.0"
    end))
  end)

  it("finds a job that begins after it was REVOKED, or ends otherwise", function()
    local function revoked(c)
      add(c.book, "revoking a false 1.5", "revoked a REVOKED 1.6")
      c.records.a = c.records.a:gsub("SUCCESS", "REVOKED")
    end
    assert_fault("began at 2.000 after it was REVOKED", revoked)
    assert.same({}, verdict(function(c)
      revoked(c)
      c.fenced.inc = true
    end))
    assert_fault("ended as SUCCESS after it was REVOKED", function(c)
      add(c.book, "revoking a false 2.5", "revoked a REVOKED 2.6")
    end)
  end)

  it("finds WorkerLost without deaths", function()
    local function lost(c)
      make_doomed(c)
      c.runs = { "start a 0 20 10 inc 1", "start a 0 21 10 in2 2", "start a 0 22 10 in3 3" }
      c.killed = { [20] = "x", [21] = "x", [22] = "x" }
      local body = "J1 default 5 0 3 0 1 chaos.doomed 2 0 0\n[]"
      local value = '{"code":"WorkerLost"}'
      c.records.a = ("R1 FAILURE default 5 0 3 1 1 1 0 inc chaos.doomed %d %d\n"):format(#value,
        #body) .. value .. body
    end
    assert.same({}, verdict(lost))
    local faults = table.concat(verdict(function(c)
      lost(c)
      c.killed = {}
    end), "\n")
    assert.matches("WorkerLost, but only 0 of its runs were cut short", faults)
  end)

  it("finds a job that never ran, or not where its record says", function()
    assert_fault("SUCCESS, and never ran", function(c) c.runs = {} end)
    assert_fault("SUCCESS by other, which never ran it", function(c)
      c.records.a = c.records.a:gsub(" inc ", " other ")
    end)
  end)

  it("finds a duplicate that no kill explains", function()
    assert_fault("ran again %(try 0 by pid 21 at 3.000%), though pid 20 %(inc%)", function(c)
      add(c.runs, "start a 0 21 11 other 3.0")
    end)
    -- The death of the second one is no reason for it.
    assert_fault("ran again", function(c)
      add(c.runs, "start a 0 21 11 other 3.0")
      c.killed[21] = "later"
    end)
  end)

  it("allows one more run of a job without record for each time it was sent", function()
    local function quiet(c)
      c.book = { "try a quiet 0 1.0", "try a quiet 0 1.5", "ack a 1.6" }
      c.records = {}
      add(c.runs, "start a 0 21 11 other 3.0")
    end
    assert.same({}, verdict(quiet))
    local function once_more(c)
      quiet(c)
      add(c.runs, "start a 0 22 11 other 4.0")
    end
    assert_fault("ran again", once_more)
    assert_fault("ran again", function(c)
      once_more(c)
      c.cuts = { 0.5, 1.7 }
    end)
    assert.same({}, verdict(function(c)
      once_more(c)
      c.cuts = { 1.3 }
    end))
  end)

  it("allows a deleted job to be gone, or to live again", function()
    local function deleted(c) add(c.book, "deleting a 2.5") end
    assert.same({}, verdict(function(c)
      deleted(c)
      add(c.runs, "start a 0 20 10 inc 4.0")
    end))
    assert.same({}, verdict(function(c)
      deleted(c)
      c.records = {}
    end))
  end)

  it("finds retries that the policy did not ask for", function()
    assert_fault("2 retries, not 0", function(c)
      c.records.a = c.records.a:gsub(" 5 0 1 ", " 5 2 1 ")
    end)
  end)

  it("finds a crash charged to an innocent job", function()
    local function charged(c) c.records.a = c.records.a:gsub(" 5 0 1 ", " 5 0 2 ") end
    assert_fault("1 crashes charged to jobs whose runs were not cut short, with 0 deaths", charged)
    assert.same({}, verdict(function(c)
      charged(c)
      c.killed[99] = "killed between taking the job and writing that it runs"
    end))
  end)

  it("finds a result that nobody told, and one that came to the wrong one", function()
    assert.same({}, verdict(function(c) add(c.book, "waited a ok 3.0", "waited a Timeout 9") end))
    assert_fault("was not told", function(c) add(c.book, "waited a late 3.0") end)
    assert_fault("got another job's result", function(c) add(c.book, "waited a another 3.0") end)
  end)

  it("finds a death that is charged to a neighbour too", function()
    local function two(c)
      add(c.book, "try b noop 0 1.0", "ack b 1.1")
      c.runs = { "start a 0 20 10 inc 2.0", "start b 0 20 10 inc 2.0", "start a 0 21 10 other 3.0",
        "start b 0 21 10 other 3.0" }
      c.records.a = c.records.a:gsub(" 5 0 1 ", " 5 0 2 "):gsub(" inc ", " other ")
      c.records.b = 'R1 SUCCESS default 5 0 1 1 1 1 9 other chaos.noop 3 0\n"b"'
      c.killed[20] = "on purpose"
    end
    assert.same({}, verdict(two))
    assert_fault("2 crashes charged, with 1 deaths", function(c)
      two(c)
      c.records.b = c.records.b:gsub(" 5 0 1 ", " 5 0 2 ")
    end)
  end)

  it("knows whom jobs killed", function()
    local killed = {}
    judge.kills({
      ledger.parse("try p poison 0 1.0\ntry a noop 0 1.0"),
      ledger.parse("start p 0 20 10 inc 2.0\nstart a 0 21 10 inc 2.0"),
    }, killed)
    assert.same({ [20] = "killed by a job" }, killed)
  end)

  it("finds a hook that was not called", function()
    local function glad(c)
      c.book[1] = "try a glad 0 1.0"
      c.records["a.s"] = 'R1 SUCCESS default 5 0 1 1 1 1 9 inc chaos.noop 5 0\n"a.s"'
      add(c.runs, "try a.s noop 0 2.2", "ack a.s 2.3", "start a.s 0 20 10 inc 2.4")
    end
    assert.same({}, verdict(glad))
    assert_fault("its hook was never called", function(c)
      c.book[1] = "try a glad 0 1.0"
    end)
  end)

  it("finds what is left of nodes, workers and waiters", function()
    local empty = { workers = {}, recovering = {}, running = {}, waiters = {}, nodes = {},
      leases = {}, stale = {}, inflight = {}, recovering_ids = {}, lists = {}, delayed = {},
      endless = {}, deferred = {}, links = {}, held = {}, faults = {}, advancing = {},
      accepted = {}, linked = {}, beat = {}, ticks = {} }
    assert.same({}, judge.leftovers(empty))
    empty.workers.inc = "node 5"
    assert.same({ "left in workers: inc = node 5" }, judge.leftovers(empty))
  end)

  it("reads logs: who was slow, who was fenced, and what must not be there", function()
    local killed, fenced = { [5] = "on purpose" }, {}
    assert.same({}, judge.log(table.concat({
      "12:00 worker 1 (pid 5) killed by signal 9 (Killed); next try in 0.1 s",
      "12:00 worker 1 (pid 6) did not end in time: its jobs go back to their queues",
      "12:00 worker 1 (pid 6) killed by signal 9 (Killed)",
      "12:00 node n-3/12345678 has been silent for a lease (2 s): its jobs are given back",
      "12:00 this worker (incarnation inc-1) was declared dead while it lived; its 2 jobs are run",
    }, "\n"), killed, fenced))
    assert.same({ [5] = "on purpose", [6] = "too slow" }, killed)
    assert.same({ ["inc-1"] = true, ["n-3"] = true }, fenced)
    assert.same({ "a process died by itself: pid 7 killed by signal 11 (Segmentation fault)" },
      judge.log("worker 2 (pid 7) killed by signal 11 (Segmentation fault)", killed, fenced))
    assert.same({ "a process died by itself: pid 7 exited with status 1; next try in 0.1 s" },
      judge.log("worker 2 (pid 7) exited with status 1; next try in 0.1 s", killed, fenced))
    assert.equal(1, #judge.log("ERROR damaged record", killed, fenced))
    assert.equal(0, #judge.log("failed task=a message=\"by signal 9 (perhaps out of memory)\"",
      killed, fenced))
    assert.equal(1, #judge.log("recovery of worker x: ERR wrong", killed, fenced))
    assert.equal(0, #judge.log("recovery of worker x: READONLY You can't write", killed, fenced))
  end)
end)
