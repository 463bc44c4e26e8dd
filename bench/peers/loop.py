"""The client side of a Python peer: one JSON command per line in, one JSON answer per line out.

Owns the command loop and the pacing that Celery and RQ share. Called by celery_app.py and rq_app.py
with the few verbs in which they differ; knows nothing of either. The commands are described in
workloads.py, which sends them.

verbs: noop(results) and stamp() enqueue one job and return a handle; take(handle) waits for its
value; bulk(n, results) enqueues n in one request, or is None; nap(n) enqueues n sleepers.
"""
import json
import sys
import time

BATCH = 1000  # jobs per bulk request


def fill(verbs, n, results):
    while n > 0:
        k = min(n, BATCH)
        if verbs.bulk:
            verbs.bulk(k, results)
        else:
            for _ in range(k):
                verbs.noop(results)
        n -= k
    return {}


def repeat(seconds, step, per_step):
    n, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        step()
        n += per_step
    return {"n": n, "seconds": time.perf_counter() - begun}


def latency(verbs, rate, seconds):
    """One job in flight: a peer slower than the rate is paced by itself, and `seconds` tells."""
    start_ms, result_ms, begun = [], [], time.time()
    for i in range(int(rate * seconds)):
        time.sleep(max(0.0, begun + i / rate - time.time()))
        submitted = time.time()
        started = verbs.take(verbs.stamp())
        result_ms.append((time.time() - submitted) * 1e3)
        start_ms.append((started - submitted) * 1e3)
    return {"start_ms": start_ms, "result_ms": result_ms, "seconds": time.time() - begun}


def take_first(verbs, handle):
    verbs.take(handle)
    return {"at": time.time()}


def serve(verbs):
    first = None
    for line in sys.stdin:
        cmd = json.loads(line)
        do = cmd["do"]
        if do == "fill":
            answer = fill(verbs, cmd["n"], cmd["results"])
        elif do == "one":
            answer = repeat(cmd["seconds"], lambda: verbs.noop(True), 1)
        elif do == "bulk":
            answer = verbs.bulk and repeat(cmd["seconds"], lambda: verbs.bulk(BATCH, True), BATCH)
        elif do == "latency":
            answer = latency(verbs, cmd["rate"], cmd["seconds"])
        elif do == "nap":
            answer = verbs.nap(cmd["n"]) or {}
        elif do == "submit":
            first = verbs.stamp()
            answer = {}
        else:
            answer = take_first(verbs, first)
        print(json.dumps(answer), flush=True)
