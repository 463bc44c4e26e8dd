-- probe: tries every command that moil's scripts use, on keys of its own that are gone afterwards.
-- Returns for each command that Redis refuses to this user, or now: command, error.
local prefix = ns .. "probe:"
local hash, list, set, zset = prefix .. "hash", prefix .. "list", prefix .. "set", prefix .. "zset"
local text, other = prefix .. "text", prefix .. "other"
local refused = {}

local function try(command, ...)
  local answer = redis.pcall(command, ...)
  if type(answer) == "table" and answer.err then
    refused[#refused + 1] = command:lower()
    refused[#refused + 1] = answer.err
  end
end

for _, key in ipairs({ hash, list, set, zset, text, other }) do
  try("DEL", key)
end
try("TIME")
try("INCR", text)
try("GET", text)
try("EXISTS", text)
try("EXPIRE", text, 60)
try("TTL", text)
try("PERSIST", text)
try("RENAME", text, other)
try("HSET", hash, "a", "1")
try("HSETNX", hash, "b", "1")
try("HGET", hash, "a")
try("HMGET", hash, "a", "b")
try("HGETALL", hash)
try("HKEYS", hash)
try("HLEN", hash)
try("HSTRLEN", hash, "a")
try("HEXISTS", hash, "a")
try("HINCRBY", hash, "a", 1)
try("HSCAN", hash, 0)
try("HDEL", hash, "a")
try("RPUSH", list, "a", "b", "c")
try("LPUSH", list, "d")
try("LLEN", list)
try("LRANGE", list, 0, -1)
try("LINDEX", list, 0)
try("LPOS", list, "a")
try("LREM", list, 0, "d")
try("LTRIM", list, 0, 1)
try("LPOP", list)
try("SADD", set, "a", "b")
try("SCARD", set)
try("SISMEMBER", set, "a")
try("SMISMEMBER", set, "a", "b")
try("SMEMBERS", set)
try("SSCAN", set, 0)
try("SREM", set, "a")
try("SPOP", set, 1)
try("ZADD", zset, 1, "a", 2, "b", 3, "c")
try("ZCARD", zset)
try("ZSCORE", zset, "a")
try("ZMSCORE", zset, "a", "b")
try("ZRANGE", zset, 0, -1)
try("ZREVRANGE", zset, 0, -1)
try("ZRANGEBYSCORE", zset, 0, 9)
try("ZSCAN", zset, 0)
try("ZPOPMAX", zset)
try("ZREM", zset, "a")
try("ZREMRANGEBYRANK", zset, 0, 0)
for _, key in ipairs({ hash, list, set, zset, text, other }) do
  redis.pcall("DEL", key)
end
return refused
