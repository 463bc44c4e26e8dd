-- A node whose children play a script (spec/support/super_probe.c), for the specs of super/.

local support = require "spec.support"

local PROBE <const> = support.build .. "/spec/super_probe"

local node = { BY = 15 } -- seconds that anything may take on a loaded machine

-- Starts one: { option = value, … }; worker = "script" etc.
---@return table child of support.spawn
function node.start(options, spawn_options)
  local argv = { PROBE }
  for name, value in pairs(options or {}) do
    argv[#argv + 1] = "--" .. name
    argv[#argv + 1] = tostring(value)
  end
  return support.spawn(argv, spawn_options)
end

function node.start_ready(options, spawn_options)
  local child = node.start(options, spawn_options)
  child:read_until("ready: %d+ worker", node.BY, "stderr")
  return child
end

-- Pids in the order of their starts: of "worker1", "agent0", "check0".
function node.pids_of(child, name)
  local pids = {}
  for pid in ("\n" .. child:stdout()):gmatch("\n" .. name .. " pid (%d+)") do
    pids[#pids + 1] = math.tointeger(tonumber(pid))
  end
  return pids
end

-- Waits for the nth start of a child → its pid.
function node.wait_for_start(child, name, nth)
  return support.wait_until(function()
    return node.pids_of(child, name)[nth]
  end, node.BY, function() return ("start %d of %s: %s"):format(nth, name, child:report()) end)
end

-- Waits for plain text, wherever it was or will be written.
function node.wait_for(child, text)
  support.wait_until(function()
    return (child:stdout() .. child:stderr()):find(text, 1, true)
  end, node.BY, function() return text .. ": " .. child:report() end)
end

-- True while the process runs; a zombie does not.
function node.is_there(pid)
  local f = io.open(("/proc/%d/stat"):format(pid), "rb")
  local state = f and f:read("a"):match("%) (%a)")
  if f then f:close() end
  return state ~= nil and state ~= "Z" and state ~= "X"
end

function node.wait_gone(pid)
  support.wait_until(function()
    return not node.is_there(pid)
  end, node.BY, "the end of process " .. pid)
end

function node.signal(pid, name)
  support.native.kill(pid, support.native.signals[name])
end

-- How often plain text is in a text, and where it is first.
function node.count(text, what)
  local _, n = text:gsub((what:gsub("%p", "%%%0")), "")
  return n
end

function node.place(text, what)
  return assert(text:find(what, 1, true), what .. " is not in " .. text)
end

return node
