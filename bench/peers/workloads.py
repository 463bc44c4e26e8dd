"""The workloads, on one peer and one private Redis.

Called by main.py. Knows the peers only through their two commands:

  PEER about                   prints JSON: left (Redis commands whose sum is the number of jobs
                               waiting or running), stored (the command that counts results),
                               nap_concurrency, settings, versions
  PEER worker SOCKET PROFILE   one worker process; drain, drain_noresult, idle or nap
  PEER client SOCKET           answers one JSON line to each of these on its stdin:
    fill {n, results}          enqueues n no-ops, as fast as the peer can
    one {seconds}              enqueues no-ops one at a time  -> {n, seconds}
    bulk {seconds}             the same, 1,000 a call         -> {n, seconds}, or null: has no bulk
    latency {rate, seconds}    jobs that return their clock   -> {start_ms, result_ms, seconds}
    nap {n}                    enqueues n sleeps of 0.1 s
    submit, take               enqueues a job; waits for its result -> {at: wall clock}
"""
import os
import statistics
import time

from processes import Client, PeerError, complaint, memory_mb, spawn, stop

POLL_S = 0.02      # 2 reads each: under 1 % of what the cheapest peer asks of Redis
STALL_S = 60       # no job done for so long: the peer is stuck
SETTLE_S = 2       # the last job of a peer that acknowledges before the run
WARM_UP = 0.1      # of a drain: start-up, connections, JIT; not counted
RATE = 100         # jobs/s of the latency workload
NAP_S, NAPS = 0.1, 2000


def percentiles(values):
    values = sorted(values)
    return {f"p{p}": round(values[min(len(values) - 1, len(values) * p // 100)], 3)
            for p in (50, 95, 99)}


class Workloads:
    def __init__(self, server, command, about, env, seconds, guess):
        self.server, self.command, self.about, self.env = server, command, about, env
        self.seconds, self.rate = seconds, guess
        self.client, self.workers = None, []

    # --- processes -------------------------------------------------------------------------

    def log_path(self, name):
        return os.path.join(self.server.folder, name + ".log")

    def start_client(self):
        command = self.command + ["client", self.server.path]
        self.client = Client(command, self.env, self.log_path("client"), self.check_workers)

    def start_workers(self, n, profile):
        command = self.command + ["worker", self.server.path, profile]
        for i in range(n):
            self.workers.append(spawn(command, self.env, self.log_path(f"worker{i}")))

    def end(self):
        for worker in self.workers:
            stop(worker)
        self.workers = []
        if self.client:
            self.client.stop()
            self.client = None

    def clear(self):
        """Ends every process and empties Redis, so that no workload sees another's."""
        self.end()
        self.server.call("FLUSHALL")

    def start_idle(self, n):
        """n workers that have run a job and wait for more."""
        self.start_client()
        self.start_workers(n, "idle")
        self.client.ask("submit", STALL_S)
        self.client.ask("take", STALL_S)
        time.sleep(1 if n == 1 else 2)  # the second worker's first job cannot be awaited

    # --- waiting ---------------------------------------------------------------------------

    def left(self):
        return sum(self.server.call(*words) for words in self.about["left"])

    def watch(self):
        """Yields (clock, jobs left) until none is; raises if a worker dies or all stand still."""
        before, moved = None, time.time()
        while True:
            left, now = self.left(), time.time()
            yield now, left
            if left == 0:
                return
            if left != before:
                before, moved = left, now
            if now - moved > STALL_S:
                raise PeerError(f"no job done for {STALL_S} s, {left} left")
            self.check_workers()
            time.sleep(POLL_S)

    def check_workers(self):
        for i, worker in enumerate(self.workers):
            if worker.poll() is not None:
                raise PeerError("worker died: " + complaint(self.log_path(f"worker{i}")))

    def check_stored(self, n):
        """A drain counts only if every job left its result, or none did."""
        deadline = time.time() + SETTLE_S
        while (stored := self.server.call(*self.about["stored"])) != n:
            if time.time() > deadline:
                raise PeerError(f"{stored} results stored, {n} expected")
            time.sleep(POLL_S)

    # --- the workloads ---------------------------------------------------------------------

    def drain_once(self, n, workers, results):
        self.start_client()
        self.client.ask("fill", 10 * STALL_S, n=n, results=results)
        self.start_workers(workers, "drain" if results else "drain_noresult")
        first = None
        for now, left in self.watch():
            if first is None and left <= n * (1 - WARM_UP):
                first = (now, left)
        return first[1] / max(now - first[0], POLL_S)

    def drain(self, workers, results):
        """Jobs/s of a backlog that takes `seconds`: sized by the last rate seen."""
        for _ in range(3):
            aimed, n = self.rate, max(100, int(self.rate * self.seconds))
            before = self.server.charged()
            self.rate = self.drain_once(n, workers, results)
            after = self.server.charged()
            self.check_stored(n if results else 0)
            self.clear()
            if aimed / 2 < self.rate < aimed * 2:
                break
        cost = [(b - a) / n for a, b in zip(before, after)]
        return self.rate, cost

    def drain_results_1w(self):
        rate, (commands, cpu_us) = self.drain(1, True)
        return {"drain_results_1w": rate, "redis_cmds_per_job": commands,
                "redis_cpu_us_per_job": cpu_us}

    def drain_results_2w(self):
        return {"drain_results_2w": self.drain(2, True)[0]}

    def drain_noresult_1w(self):
        return {"drain_noresult_1w": self.drain(1, False)[0]}

    def enqueue(self):
        self.start_client()
        found = {}
        for do in ("one", "bulk"):
            self.client.ask("fill", STALL_S, n=100, results=True)  # connections, JIT
            answer = self.client.ask(do, STALL_S + self.seconds, seconds=self.seconds / 2)
            found["enqueue_" + do] = answer and answer["n"] / answer["seconds"]
            self.server.call("FLUSHALL")
        return found

    def latency(self):
        self.start_idle(1)
        for seconds in (0.5, self.seconds):  # the first is a warm-up
            got = self.client.ask("latency", STALL_S + seconds, rate=RATE, seconds=seconds)
        return {"latency_start_ms": percentiles(got["start_ms"]),
                "latency_result_ms": percentiles(got["result_ms"]),
                "latency_rate": len(got["start_ms"]) / got["seconds"]}

    def sleep(self):
        width = self.about["nap_concurrency"]
        n = int(min(NAPS, width * 4 * self.seconds / NAP_S))
        self.start_client()
        self.start_workers(1, "nap")
        self.client.ask("submit", STALL_S)
        self.client.ask("take", STALL_S)
        begun = time.time()
        self.client.ask("nap", STALL_S, n=n)
        for now, _ in self.watch():
            pass
        return {"sleep_jobs": n, "sleep_seconds": (now - begun) * NAPS / n,
                "sleep_ideal_seconds": -(-NAPS // width) * NAP_S}

    def first_job(self):
        took = []
        for _ in range(3):
            self.start_client()
            self.client.ask("submit", STALL_S)
            begun = time.time()
            self.start_workers(1, "idle")
            took.append((self.client.ask("take", STALL_S)["at"] - begun) * 1e3)
            self.clear()
        return {"first_job_ms": statistics.median(took)}

    def idle(self, workers, suffix):
        self.start_idle(workers)
        self.client.stop()
        self.client = None
        before, begun = self.server.charged()[0], time.time()
        time.sleep(max(2, self.seconds))
        commands = (self.server.charged()[0] - before) / (time.time() - begun)
        rss, pss = memory_mb(worker.pid for worker in self.workers)
        found = {"rss_mb": rss, "pss_mb": pss, "idle_cmds_per_s": commands}
        return {key + suffix: value for key, value in found.items()}

    def idle_1w(self):
        return self.idle(1, "")

    def idle_2w(self):
        return self.idle(2, "_2w")

    ORDER = ("drain_results_1w", "drain_results_2w", "drain_noresult_1w", "enqueue", "latency",
             "sleep", "first_job", "idle_1w", "idle_2w")

    def run(self, say):
        """Every workload; one that fails leaves its message in `errors` and the rest goes on."""
        found, errors = {}, {}
        for name in self.ORDER:
            try:
                say(name)
                found.update(getattr(self, name)())
            except (PeerError, OSError, RuntimeError) as error:
                errors[name] = str(error)
            finally:
                self.clear()
        return dict(found, errors=errors)
