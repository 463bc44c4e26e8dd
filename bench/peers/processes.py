"""The peers' processes: workers in sessions of their own, and the client that talks JSON lines.

Owns every process it starts until stop(). Called by workloads.py. Knows no workload.
"""
import json
import os
import selectors
import signal
import subprocess
import time

CHECK_S = 0.5


class PeerError(Exception):
    """What a peer did wrong, in one line."""


def complaint(path):
    """The line of a log that says what went wrong: the last that names an error, or the last."""
    with open(path, errors="replace") as log:
        lines = [line.strip() for line in log if line.strip()]
    named = [line for line in lines if "error" in line.lower()]
    return (named or lines or ["no message"])[-1][:200]


def spawn(command, env, log_path, **pipes):
    with open(log_path, "wb") as log:
        return subprocess.Popen(command, env=env, start_new_session=True, stderr=log,
                                **{"stdin": subprocess.DEVNULL, "stdout": log, **pipes})


def stop(process):
    """Ends a process and its children: they share a process group, whose id is the process's."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


class Client:
    """`check` is called while an answer is awaited, and raises if there will be none."""

    def __init__(self, command, env, log_path, check):
        self.log_path, self.check = log_path, check
        self.process = spawn(command, env, log_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ready = selectors.DefaultSelector()
        self.ready.register(self.process.stdout, selectors.EVENT_READ)

    def ask(self, do, timeout_s, **fields):
        try:
            self.process.stdin.write(json.dumps(dict(fields, do=do)).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise PeerError("client died: " + complaint(self.log_path)) from None
        deadline = time.time() + timeout_s
        while not self.ready.select(CHECK_S):
            self.check()
            if time.time() > deadline:
                raise PeerError(f"client did not answer '{do}' within {timeout_s:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise PeerError("client died: " + complaint(self.log_path))
        return json.loads(line)

    def stop(self):
        stop(self.process)
        self.ready.close()
        self.process.stdin.close()
        self.process.stdout.close()


def tree(roots):
    """The pids of the given processes and of all that descend from them."""
    parent = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as stat:
                parent[int(name)] = int(stat.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            pass
    found = set(roots)
    while True:
        more = {pid for pid, above in parent.items() if above in found} - found
        if not more:
            return found
        found |= more


def memory_mb(roots):
    """Resident and proportional memory of the process trees, in MB (10^6 bytes)."""
    kb = {"Rss": 0, "Pss": 0}
    for pid in tree(roots):
        with open(f"/proc/{pid}/smaps_rollup") as rollup:
            for line in rollup:
                name, _, value = line.partition(":")
                if name in kb:
                    kb[name] += int(value.split()[0])
    return kb["Rss"] * 1024 / 1e6, kb["Pss"] * 1024 / 1e6
