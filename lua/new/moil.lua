-- Options of the command line (`moil help worker`), and what holds for all tasks. A flag or an
-- environment variable goes before what stands here.

return {
  task_defaults = { time_limit = 60 },
  -- routes = { ["mail.*"] = "mail" },
}
