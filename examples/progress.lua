-- A progress bar for a group of jobs, which grows as they end.
--
--   build/moil dev tasks                                    in one terminal
--   eval `make -s env`; lua5.4 examples/progress.lua        in another: 200 jobs of 0.3 s at most
--   eval `make -s env`; lua5.4 examples/progress.lua 1000 0.1
--
-- Where its output is no terminal it prints a line for each tenth instead.

local moil = require "moil"

local COUNT <const>, SECONDS <const> = tonumber(arg[1] or 200), tonumber(arg[2] or 0.3)
local WIDTH <const> = 40 -- of the bar
local PATIENCE <const> = 30 -- seconds without any progress

if math.type(COUNT) ~= "integer" or COUNT < 1 or not SECONDS or SECONDS < 0 then
  io.stderr:write("usage: lua5.4 examples/progress.lua [JOBS [SECONDS]]\n")
  os.exit(2)
end

local is_terminal <const> = os.execute("test -t 1") == true

local function draw(done)
  local bar = ("#"):rep(done * WIDTH // COUNT)
  io.write(is_terminal and "\r" or "", ("[%-" .. WIDTH .. "s] %d/%d"):format(bar, done, COUNT),
    is_terminal and "" or "\n")
  io.flush()
end

-- Calls draw(done) when that has changed, until all have ended.
local function follow(group)
  local seen, tenth, idle = -1, -1, 0
  repeat
    local done = group:completed_count()
    if done ~= seen and (is_terminal or done * 10 // COUNT > tenth) then
      draw(done)
      tenth = done * 10 // COUNT
    end
    idle = done ~= seen and 0 or idle + 0.1
    if idle > PATIENCE then return false end
    seen = done
    if done < COUNT then moil.sleep(0.1) end
  until done == COUNT
  return true
end

local jobs = {}
for i = 1, COUNT do jobs[i] = moil.signature("demo.sleep", { SECONDS * math.random() }) end
local group = moil.group(jobs):delay()

local all_ended = follow(group)
if is_terminal then io.write("\n") end
if not all_ended then
  io.stderr:write(("nothing has ended for %d s: does a worker serve tasks/?\n"):format(PATIENCE))
  os.exit(1)
end

local slept, failed = 0, 0
for _, seconds, err in group:iterate { timeout = 10 } do
  slept = slept + (seconds or 0)
  failed = failed + (err and 1 or 0)
end
print(("%d jobs slept %.1f s in all, %d failed"):format(COUNT, slept, failed))
os.exit(failed == 0 and 0 or 1)
