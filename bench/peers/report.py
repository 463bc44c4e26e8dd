"""The table of `make bench-peers`: one column per peer, one row per figure."""


def number(value):
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread(value):
    return " / ".join(number(value[p]) for p in ("p50", "p95", "p99"))


# title, key, how to print it
ROWS = (
    ("drain, results, 1 worker (jobs/s)", "drain_results_1w", number),
    ("drain, results, 2 workers (jobs/s)", "drain_results_2w", number),
    ("drain, no results, 1 worker (jobs/s)", "drain_noresult_1w", number),
    ("enqueue one at a time (jobs/s)", "enqueue_one", number),
    ("enqueue in bulk (jobs/s)", "enqueue_bulk", number),
    ("submit -> start, p50/p95/p99 (ms)", "latency_start_ms", spread),
    ("submit -> result, p50/p95/p99 (ms)", "latency_result_ms", spread),
    ("  at (jobs/s)", "latency_rate", number),
    ("2,000 sleeps of 0.1 s (s)", "sleep_seconds", number),
    ("  ideal (s)", "sleep_ideal_seconds", number),
    ("exec -> first job done (ms)", "first_job_ms", number),
    ("idle RSS, 1 worker (MB)", "rss_mb", number),
    ("idle PSS, 1 worker (MB)", "pss_mb", number),
    ("idle PSS, 2 workers (MB)", "pss_mb_2w", number),
    ("idle commands/s, 1 worker", "idle_cmds_per_s", number),
    ("Redis commands per job", "redis_cmds_per_job", number),
    ("Redis CPU per job (us)", "redis_cpu_us_per_job", number),
)


def cell(peer, key, show):
    if key not in peer:
        return "failed"
    return "-" if peer[key] is None else show(peer[key])


def table(peers):
    """peers: name -> figures, as in the JSON."""
    lines = [[""] + list(peers)]
    lines += [[title] + [cell(peer, key, show) for peer in peers.values()]
              for title, key, show in ROWS]
    widths = [max(map(len, column)) for column in zip(*lines)]
    rows = []
    for line in lines:
        cells = [line[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(line[1:], widths[1:])]
        rows.append("  ".join(cells).rstrip())
    for name, peer in peers.items():
        versions = ", ".join(f"{what} {v}" for what, v in peer["versions"].items())
        rows.append(f"{name}: {versions}; {peer['settings']['drain']}")
    return "\n".join(rows)
