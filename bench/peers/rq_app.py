"""RQ as a peer: tasks, client verbs and the settings it is measured at.

Run by workloads.py:  about | client SOCKET | worker SOCKET PROFILE
"""
import json
import sys
import time

import redis
import rq
from rq.version import VERSION

import loop

QUEUE = "bench"
KEEP_S = 3600  # a result's life; 0 stores none
ABOUT = {
    "left": [["LLEN", "rq:queue:" + QUEUE], ["ZCARD", "rq:wip:" + QUEUE]],
    "stored": ["ZCARD", "rq:finished:" + QUEUE],
    "nap_concurrency": 1,
    "settings": {
        "drain": "SimpleWorker: jobs run in the worker, without a fork for each",
        "idle": "as drain",
        "sleep": "as drain: one job at a time is all that a process offers",
        "no_result": "result_ttl=0",
        "result_wait": "Job.latest_result(timeout) (blocking XREAD)",
        "bulk": "Queue.enqueue_many, 1,000 a call",
    },
}


def noop():
    return None


def stamp():
    return time.time()


def nap():
    time.sleep(0.1)


class Verbs:
    def __init__(self, queue):
        self.queue = queue

    def noop(self, results):
        return self.queue.enqueue("rq_app.noop", result_ttl=KEEP_S if results else 0)

    def stamp(self):
        return self.queue.enqueue("rq_app.stamp", result_ttl=KEEP_S)

    @staticmethod
    def take(handle):
        return handle.latest_result(timeout=60).return_value

    def bulk(self, n, results, task="rq_app.noop"):
        ttl = KEEP_S if results else 0
        self.queue.enqueue_many([rq.Queue.prepare_data(task, result_ttl=ttl) for _ in range(n)])

    def nap(self, n):
        self.bulk(n, True, "rq_app.nap")


def main(argv):
    if argv[1] == "about":
        print(json.dumps(dict(ABOUT, versions={"rq": VERSION, "redis-py": redis.__version__})))
        return
    link = redis.Redis(unix_socket_path=argv[2])
    queue = rq.Queue(QUEUE, connection=link)
    if argv[1] == "worker":
        rq.SimpleWorker([queue], connection=link).work(logging_level="ERROR")
    else:
        loop.serve(Verbs(queue))


if __name__ == "__main__":
    main(sys.argv)
