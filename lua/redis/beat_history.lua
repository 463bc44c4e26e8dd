-- beat_history: the last ticks, the newest first. Reads only.
-- ARGV: offset, limit
-- Returns lines: DUE FIRED ID OUTCOME NAME; times in ms since the epoch, ID "-" where nothing was
-- enqueued, OUTCOME fired | skipped_overlap | skipped_late. At most 1,000 are kept.
return call("LRANGE", ns .. "beat_history", ARGV[1], ARGV[1] + ARGV[2] - 1)
