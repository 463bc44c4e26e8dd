-- A part of the prelude, a module of its own: `handover` is called once by a script whose caller
-- has room for jobs that its links start (settle). Those go in flight with it at once where nothing
-- waits in front of them: as if they had been pushed, and fetched in the same moment. They stand in
-- no list, wake nobody, and cost no other round trip.
-- incarnation: whose; room: for how many; queues: which, in the order to ask them.
local function handover(incarnation, room, queues)
  local fronts, ranks, ids = nil, {}, {}
  local self = { found = { 0 } }

  -- Down to which level of each queue nothing waits there, nor in the queues before it; no entry:
  -- something does, or the queue is paused.
  local function find_fronts()
    local states, lists = call("HMGET", ns .. "queues", unpack(queues)), {}
    fronts = {}
    for i, state in ipairs(states) do
      ranks[queues[i]] = i * 10
      if state and state:byte(1) == 114 then
        for at = 2, #state do
          lists[#lists + 1] = ns .. "queue:" .. queues[i] .. ":" .. state:sub(at, at)
        end
      end
    end
    local waits = #lists > 0 and call("EXISTS", unpack(lists)) > 0
    for i, state in ipairs(states) do
      if state and state:byte(1) == 114 then
        local open = state:sub(2)
        for at = 2, waits and #state or 0 do
          if call("EXISTS", ns .. "queue:" .. queues[i] .. ":" .. state:sub(at, at)) == 1 then
            fronts[queues[i]] = state:sub(2, at - 1)
            return
          end
        end
        fronts[queues[i]] = open
      end
    end
  end

  -- Takes jobs off the beginning of a run that is about to be pushed: {queue, level, records, ids}.
  -- What it leaves of a queue asked for is in front of all that comes later.
  local function take(run)
    local levels, records, n = fronts[run.queue], run.records, 0
    if levels and records and not run.front and levels:find(run.level, 1, true) then
      while n < room and run[n + 1] and records[n + 1] do
        n = n + 1
        ids[#ids + 1] = run[n]
        self.found[#self.found + 1] = run[n]
        self.found[#self.found + 1] = records[n]
      end
      tally(run.queue, "inflight", n)
    end
    room = room - n
    if levels and run[n + 1] then
      room = 0
    end
    return n == 0 and run
      or { queue = run.queue, level = run.level, deferred = run.deferred, unpack(run, n + 1) }
  end

  local function by_rank(a, b)
    return (ranks[a.queue] or 0) - a.level < (ranks[b.queue] or 0) - b.level
  end

  -- Jobs that are about to be pushed, by place; returns what of it is left to be.
  function self.offer(runs)
    if #runs > 0 and not fronts then
      find_fronts()
    end
    if #runs > 1 then
      table.sort(runs, by_rank)
    end
    for i, run in ipairs(runs) do
      if run[1] then
        runs[i] = take(run)
      end
    end
    return runs
  end

  -- The reply: how many were settled, then id and record of each job that was handed over.
  function self.reply(settled)
    if #ids == 0 then
      return settled
    end
    call("SADD", ns .. "inflight:" .. incarnation, unpack(ids))
    for i = 3, events and #self.found or 0, 2 do
      events.job("started", self.found[i - 1], self.found[i])
    end
    self.found[1] = settled
    return self.found
  end

  return self
end
