"""Celery as a peer: tasks, client verbs and the settings it is measured at.

Run by workloads.py:  about | client SOCKET | worker SOCKET PROFILE
Acknowledged before the run, as Celery does by default: a worker that is killed loses its job.
"""
import json
import os
import sys
import time

import celery

import loop

# One process, no-op jobs: solo, prefork -c 1 and threads -c 1 are within noise of each other, -c 4
# and gevent (300/s) behind; prefork -c 2 (690/s in 3 processes) is behind two solo workers (880/s).
# Sleepers: 200 threads end in 5.7 s, gevent with 100 to 1,000 in 7.2 to 8.6 s.
DRAIN = ["-P", "solo", "--prefetch-multiplier", "64"]
NAP_THREADS = 200
NAP = ["-P", "threads", "-c", str(NAP_THREADS)]
LEAN = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "ERROR"]
ABOUT = {
    "left": [["LLEN", "celery"], ["HLEN", "unacked"]],
    "stored": ["EVAL", "return #redis.call('KEYS', 'celery-task-meta-*')", "0"],
    "nap_concurrency": NAP_THREADS,
    "settings": {
        "drain": " ".join(DRAIN + LEAN) + ", acks early, JSON",
        "idle": "as drain",
        "sleep": " ".join(NAP) + ", acks late so that its end can be seen",
        "no_result": "ignore_result=True",
        "result_wait": "AsyncResult.get (pub/sub)",
        "bulk": "none: a group is sent one message at a time",
    },
}

URL = "redis+socket://" + os.environ.get("PEER_SOCKET", "/nowhere")
app = celery.Celery("peer", broker=URL, backend=URL)
app.conf.update(
    worker_disable_rate_limits=True,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    result_expires=3600,
    task_acks_late=os.environ.get("PEER_PROFILE") == "nap",
    broker_transport_options={"max_connections": 2000},  # each thread acks on one of its own
)


@app.task
def noop():
    return None


@app.task
def stamp():
    return time.time()


@app.task
def nap():
    time.sleep(0.1)


class Verbs:
    bulk = None

    @staticmethod
    def noop(results):
        return noop.apply_async(ignore_result=not results)

    @staticmethod
    def stamp():
        return stamp.delay()

    @staticmethod
    def take(handle):
        return handle.get(timeout=60)

    @staticmethod
    def nap(n):
        for _ in range(n):
            nap.delay()


def main(argv):
    if argv[1] == "about":
        print(json.dumps(dict(ABOUT, versions={"celery": celery.__version__})))
        return
    os.environ["PEER_SOCKET"] = argv[2]
    if argv[1] == "worker":
        os.environ["PEER_PROFILE"] = argv[3]
        os.chdir(os.path.dirname(os.path.abspath(__file__)))
        args = ["-A", "celery_app", "worker"] + (NAP if argv[3] == "nap" else DRAIN) + LEAN
        os.execv(sys.executable, [sys.executable, "-m", "celery"] + args)
    import celery_app  # again, under its own name: task names begin with the module's
    loop.serve(celery_app.Verbs)


if __name__ == "__main__":
    main(sys.argv)
