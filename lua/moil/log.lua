-- The log: one line an event, with the job's id and task on it when a job runs.
--
--   moil.log.info("fetched", { url = url, bytes = 812 })

local core = require "moil.core"

---@class moil.Log
---@field debug fun(message: any, fields?: table)
---@field info fun(message: any, fields?: table)
---@field warn fun(message: any, fields?: table)
---@field warning fun(message: any, fields?: table)
---@field error fun(message: any, fields?: table)
local log = {}

-- log.info(…) and log:info(…) are both fine.
local function writer(level)
  return function(message, fields, ...)
    if message == log then
      message, fields = fields, ...
    end
    core.log(level, message, fields)
  end
end

log.debug = writer "debug"
log.info = writer "info"
log.warning = writer "warning"
log.warn = log.warning
log.error = writer "error"

return log
