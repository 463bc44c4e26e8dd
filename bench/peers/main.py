"""Measures other task queues with the workloads of `make bench`: celery rq bullmq beequeue asynq.

usage: bench/peers/run [--seconds S] [--json FILE] [PEER ...]

Installs the peers into build/peers/ from their registries, once (delete it for newer versions),
then runs each on a redis-server of its own (unix socket, temporary folder, nothing saved).
Prints a table; writes JSON to build/bench-peers.json. A peer that cannot be had is named with the
reason, and the others still run. Exit: 0 all measured, 1 something failed, 2 wrong usage.

JSON: {"machine": {...}, "seconds": S, "unavailable": {NAME: reason},
       "peers": {NAME: {...}}}; of a peer:
  drain_results_1w, drain_results_2w, drain_noresult_1w
                         jobs/s of a backlog of no-ops, 1 or 2 worker processes; its first tenth
                         (start-up) is not counted
  enqueue_one            jobs/s, each awaited before the next
  enqueue_bulk           jobs/s, 1,000 a call; null: the peer has no bulk
  latency_start_ms, latency_result_ms
                         {p50, p95, p99} from submit to the task's first line, and to the value in
                         the submitter's hand; 100 jobs/s on one idle worker
  latency_rate           jobs/s really reached there
  sleep_seconds          2,000 jobs of 0.1 s, one process, from the first enqueue to the last end;
  sleep_ideal_seconds    the same with no cost but the sleep at that concurrency
  sleep_jobs             how many were really run (sleep_seconds is scaled to 2,000)
  first_job_ms           exec of a worker to the result of a waiting job; median of 3
  rss_mb, pss_mb, idle_cmds_per_s          one idle worker's process tree, and what it asks of Redis
  rss_mb_2w, pss_mb_2w, idle_cmds_per_s_2w the same for two worker processes
  redis_cmds_per_job, redis_cpu_us_per_job
                         a job's life: enqueued (in bulk if there is one), run, result stored;
                         commands inside scripts count
  versions, settings     what was measured, and how it was set
  errors                 {workload: message} of those that failed; their keys are missing
"""
import argparse
import json
import os
import platform
import signal
import subprocess
import sys

sys.dont_write_bytecode = True  # the source tree stays as it is

import install
import report
from processes import PeerError
from server import Server
from workloads import Workloads

ROOT = os.path.dirname(os.path.dirname(install.HERE))
BUILD = os.path.join(ROOT, "build")


def say(text):
    print("bench-peers: " + text, file=sys.stderr, flush=True)


def about(command, env):
    done = subprocess.run(command + ["about"], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise install.Unavailable("installed, but does not run: " + lines[-1])
    return json.loads(done.stdout)


def measure(name, seconds):
    say(f"{name}: installing if needed")
    command, env, guess = install.have(name, os.path.join(BUILD, "peers"))
    facts = about(command, env)
    server = Server()
    work = None
    try:
        server.start()
        work = Workloads(server, command, facts, env, seconds, guess)
        found = work.run(lambda workload: say(f"{name}: {workload}"))
    finally:
        if work:
            work.end()
        server.stop()
    for workload, message in found["errors"].items():
        say(f"{name}: {workload} FAILED: {message}")
    return dict(found, versions=facts["versions"], settings=facts["settings"])


def machine():
    command = ["redis-server", "--version"]
    redis = subprocess.run(command, capture_output=True, text=True, check=False)
    with open("/proc/cpuinfo") as info:
        models = [line.split(": ")[1].strip() for line in info if line.startswith("model name")]
    return {"cpu": models[0] if models else "unknown", "cores": os.cpu_count(),
            "kernel": platform.release(), "redis": redis.stdout.split()[2].lstrip("v=")}


class Parser(argparse.ArgumentParser):
    def error(self, message):  # without the usage lines: an error is one line
        self.exit(2, f"{self.prog}: {message} (see --help)\n")


def arguments():
    parser = Parser(prog="bench/peers/run", add_help=False)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--json", default=os.path.join(BUILD, "bench-peers.json"))
    parser.add_argument("peers", nargs="*")
    args = parser.parse_args()
    if args.help:
        print(__doc__.strip())
        sys.exit(0)
    for name in args.peers:
        if name not in install.PEERS:
            parser.error(f"unknown peer '{name}': there are {', '.join(install.PEERS)}")
    if not 0.2 <= args.seconds <= 600:
        parser.error("--seconds is from 0.2 to 600")
    return args


def main():
    args = arguments()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))  # unwinds: what was started is ended
    os.makedirs(os.path.join(BUILD, "peers"), exist_ok=True)
    try:
        install.need("redis-server", "redis-server", os.path.join(BUILD, "peers"))
    except install.Unavailable as reason:
        say(f"error: {reason}")
        return 1
    out = {"machine": machine(), "seconds": args.seconds, "peers": {}, "unavailable": {}}
    for name in args.peers or install.PEERS:
        try:
            out["peers"][name] = measure(name, args.seconds)
        except (install.Unavailable, PeerError, OSError, RuntimeError) as reason:
            out["unavailable"][name] = str(reason)
            say(f"{name}: NOT MEASURED: {reason}")
        with open(args.json, "w") as file:
            json.dump(out, file, indent=2)
    print(report.table(out["peers"]))
    for name, reason in out["unavailable"].items():
        print(f"{name}: NOT MEASURED: {reason}")
    print(f"JSON: {os.path.relpath(args.json)}")
    return int(not out["peers"] or any(peer["errors"] for peer in out["peers"].values()))


if __name__ == "__main__":
    sys.exit(main())
