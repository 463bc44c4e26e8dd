-- The runs for the crash points in the sources (src/base/crash_point.h), at least one each: what
-- brings a process there, and who heals it. Read by crash_points_spec.lua, which says what must
-- hold afterwards.
--
-- count     which time it goes off there (1)
-- how       "kill", "exit" (with status 70), "stop" (until the scene lets it go on)
-- signal    what the node gets once its jobs run
-- load      "work" (each end that a job can have), "die" (the same, with a job that kills its
--           worker), "hold" (one job runs, the others wait in its worker), "stuck" (the same, and
--           it is in a C call), "flow" (workflows, and "work"), "long" (all run until the death),
--           "half" (all run half a second)
-- scene     "node" (a node with work), "evict" (another node vanished before), "fence" (its worker
--           is declared dead while it lives), "late" (the same, and it goes on when another node
--           has run its jobs), "beat" (a node with a schedule), "client",
--           "control" (a node that is told something)
-- waits     the client's job depends on another
-- ordered   jobs must first run in the order of their enqueueing
-- charged   one job was on the CPU, and is charged with a crash

local runs = {}

local function add(names, fields)
  for name in names:gmatch("%S+") do
    local run = { name = name, count = 1, how = "kill", load = "work", scene = "node" }
    for key, value in pairs(fields) do run[key] = value end
    runs[#runs + 1] = run
  end
end

-- A worker's life, and a job's: its supervisor starts another, the agent gives the jobs back.
add("worker.loaded worker.join_written worker.joined", { ordered = true })
add("fetch.written fetch.answered fetch.reserved", { ordered = true })
add("settle.written settle.answered", { ordered = true })
add("job.started job.done", { ordered = true, count = 5 })
add("job.on_cpu job.on_cpu_still", { ordered = true, count = 5, charged = true })
add("job.waiting job.sliced job.resumed", { ordered = true, count = 2 })
add("verdict.ended verdict.dropped verdict.dead verdict.retry", { ordered = true, how = "exit" })
add("worker.fenced", { scene = "fence", load = "half" })
add("job.done verdict.ended settle.written", { scene = "late", how = "stop" })

-- Workflows: what was accepted goes on, what was only staged is made again.
add("graph.staged graph.accepted gather.answered job.gathered verdict.replaced", { load = "flow" })
add("settle.handed", { load = "flow" })
add("agent.advancing agent.advanced", { load = "flow" })

-- A worker's end.
add("worker.stopping worker.idle worker.leave_written worker.left", { signal = "TERM" })
add("worker.giving_back", { signal = "TERM", load = "hold", count = 3, ordered = true })
add("worker.closing", { signal = "QUIT", load = "long", count = 3 })

-- The agent's duties and its end: the next agent goes on.
add("agent.promoting agent.promoted agent.swept agent.beat agent.looking", {})
add("agent.beat", { how = "stop" }) -- its supervisor takes another in its place
add("agent.told agent.condemned agent.recovering agent.recovered", { load = "die" })
add("agent.seized agent.relieved", { load = "stuck" })
add("agent.evicting agent.evicted", { scene = "evict", load = "long" })
add("agent.stopping agent.leaving agent.left", { signal = "TERM" })

-- A command is carried out once or not at all; the next agent takes the one after.
add("agent.claimed agent.ordering agent.ordered", { scene = "control" })

-- A tick: the same entry's next scheduler goes on.
add("beat.ticking beat.written beat.fired", { scene = "beat", load = "none", count = 5 })

-- The supervisor takes its children with it: another node gives the jobs back.
add("super.checking super.checked super.agent_forked super.ready", {})
add("super.death super.death_told", { load = "die" })
add("super.warm super.workers_told super.workers_gone super.agent_gone super.done",
  { signal = "TERM" })
add("super.reload_checked super.reload_ready super.reload_serves super.draining super.drained",
  { signal = "HUP", load = "half" })
add("super.cold", { signal = "QUIT", load = "long" })

-- A producer that never hears of its job asks again, with the same id.
add("client.enqueueing client.written client.answered", { scene = "client", load = "none" })
add("client.submitting client.submitted", { scene = "client", load = "none", waits = true })

return runs
