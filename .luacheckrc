-- `make lint` also checks the Redis scripts, as Lua 5.1, in the form in which the build joins them
-- (.ci/lint).
std = "lua54"
max_line_length = 100
cache = false
exclude_files = { "build", "lua/redis", "bench/peers" }
files["spec"] = { std = "+busted" }
files["lua/new/spec"] = { std = "+busted" }
files["lua/new/.busted"] = { std = "lua54" }
files[".busted"] = { std = "lua54" }
files[".luacheckrc"] = { std = "+luacheckrc" }
