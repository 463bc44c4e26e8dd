-- A schedule with every kind of entry, for the tasks of tasks/. From this folder's parent:
--
--   moil beat next examples/beat.lua -n 20            what it will bring
--   moil check tasks --beat examples/beat.lua         whether anything is wrong with it
--   moil worker tasks --beat examples/beat.lua        a node that runs it
--
-- The file is plain Lua: what it returns is read at the start and at each reload (HUP).

local SHANGHAI <const> = { 31.23, 121.47 } -- latitude and longitude, in degrees

local function at_the_sun(event, args)
  return {
    task = "math.sum",
    solar = { event, table.unpack(SHANGHAI) },
    args = { args },
    timezone = "Asia/Shanghai", -- for people: `moil beat next` shows times in it
  }
end

return {
  timezone = "UTC", -- of the entries that name none; a name of the tz database

  schedule = {
    -- Every so many seconds, since the epoch: all nodes agree on the moments.
    ["heartbeat"] = { task = "math.add", every = 0.5, args = { 1, 1 }, expires = 1 },

    -- Counted from a start, with an end; 3 times at most.
    ["season"] = {
      task = "math.add",
      every = 86400,
      args = { 2, 2 },
      start = "2030-03-01T06:00:00",
      stop = "2030-06-01T00:00:00",
      max_runs = 3,
    },

    -- Five fields: minute, hour, day of month, month, day of week. Noon of working days in Berlin,
    -- whatever daylight saving does.
    ["noon"] = {
      task = "math.add",
      cron = "0 12 * * MON-FRI",
      timezone = "Europe/Berlin",
      args = { 3, 3 },
    },

    -- Six fields: the second comes first. Skipped while the last run still goes.
    ["ten-seconds"] = {
      task = "demo.progress",
      cron = "*/10 * * * * *",
      args = { 4, 0.05 },
      overlap = false,
      queue = "default",
    },

    -- The last day of each month; the second Friday; the working day nearest to the 15th.
    ["month-end"] = { task = "math.sum", cron = "30 23 L * *", args = { { 5, 5 } } },
    ["second-friday"] = { task = "math.sum", cron = "0 9 * * FRI#2", args = { { 6, 6 } } },
    ["pay-day"] = { task = "math.sum", cron = "0 9 15W * *", args = { { 7, 7 } } },

    -- Nicknames. Of the runs that fell due while no scheduler ran, each is made up for.
    ["nightly"] = { task = "math.add", cron = "@daily", args = { 8, 8 }, catch_up = "all" },

    -- Spread over up to a minute, so that not all of a fleet begins at once; none is made up for.
    ["hourly"] = {
      task = "math.add",
      cron = "@hourly",
      args = { 9, 9 },
      jitter = 60,
      catch_up = "none",
      priority = 3,
    },

    -- The sun, at a place.
    ["lights-on"] = at_the_sun("sunset", { 10 }),
    ["lights-off"] = at_the_sun("sunrise", { 11 }),
    ["stargazing"] = at_the_sun("dusk_astronomical", { 12 }),

    -- Once: with an offset, or in the entry's time zone. With a priority above the others'.
    ["new-year"] = { task = "math.add", at = "2035-01-01T00:00:00+08:00", args = { 13, 13 },
      priority = 9 },
    ["reminder"] = { task = "math.add", at = "2035-06-01T09:00:00", timezone = "America/New_York",
      args = { 14, 14 } },

    -- Waits for `moil beat resume on-demand`.
    ["on-demand"] = { task = "math.add", every = 60, args = { 15, 15 }, paused = true },
  },
}
