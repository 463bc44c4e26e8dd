-- Tasks that take time: for watching progress, and for trying out queues, limits and shutdowns.
--
--   moil call demo.progress 20 2 --follow
--   moil call demo.sleep 1 --wait

local moil = require "moil"

local MAX_SECONDS <const> = 86400
local MAX_STEPS <const> = 10000

local function check(ok, message)
  if not ok then error({ code = "BadArgument", message = message }, 0) end
end

local function check_seconds(task, seconds)
  check(type(seconds) == "number" and seconds >= 0 and seconds <= MAX_SECONDS,
    ("%s: seconds must be a number from 0 to %d"):format(task, MAX_SECONDS))
end

---Waits; its worker does other jobs meanwhile.
---@param seconds number
---@return number seconds
moil.task("demo.sleep", function(seconds)
  check_seconds("demo.sleep", seconds)
  moil.sleep(seconds)
  return seconds
end)

---Takes `steps` steps in `seconds` seconds, and tells of each one: state PROGRESS with
---{ step, steps, percent }.
---@param self moil.Self
---@param steps integer
---@param seconds? number  1 when not said
---@return { steps: integer, seconds: number }
moil.task("demo.progress", { bind = true }, function(self, steps, seconds)
  check(math.type(steps) == "integer" and steps >= 1 and steps <= MAX_STEPS,
    ("demo.progress: steps must be a whole number from 1 to %d"):format(MAX_STEPS))
  seconds = seconds or 1
  check_seconds("demo.progress", seconds)
  for step = 1, steps do
    moil.sleep(seconds / steps)
    self:update_state("PROGRESS", {
      step = step, steps = steps, percent = step * 100 // steps,
    })
  end
  return { steps = steps, seconds = seconds }
end)
