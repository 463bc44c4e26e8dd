-- Many jobs at once through the benchmark's own feeder, and waiting until they are done.
local support = require "spec.support"

local feed = {}

---Enqueues n jobs of a task.
function feed.fill(redis, n, task)
  local child = support.spawn({ support.build .. "/bench/feed", "fill", tostring(n), task },
    { env = { MOIL_REDIS = redis.url, BENCH_SOCKET = redis.path } })
  child:wait(600)
  assert(child.code == 0, child:stderr())
end

---Ended jobs whose results are kept.
function feed.ended(redis)
  local ended = 0
  for minute in pairs(feed.minutes(redis)) do
    ended = ended + redis:call("LLEN", "{moil}:expire:" .. minute)
  end
  return ended
end

function feed.minutes(redis)
  local minutes = {}
  for _, minute in ipairs(redis:call("ZRANGE", "{moil}:expiries", "0", "-1")) do
    minutes[minute] = true
  end
  return minutes
end

---Jobs in the queue "default" that no worker has.
function feed.pending(redis)
  return redis:call("LLEN", "{moil}:queue:default:5")
end

return feed
