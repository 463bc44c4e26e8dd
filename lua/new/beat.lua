-- The schedule: `moil dev` runs it too, `moil worker --beat beat.lua` does, and
-- `moil beat next beat.lua` shows what it will bring.

return {
  timezone = "UTC",
  schedule = {
    ["morning"] = { task = "greet.hello", cron = "0 8 * * *", args = { "everybody" } },
  },
}
