"""A private redis-server on a unix socket in a temporary folder, and a small client for it.

Owns the server's process and folder. started once per peer by main.py; asked by workloads.py.
Knows no peer. The settings are those of moil's own bench: nothing is written to disk.
"""
import shutil
import socket
import subprocess
import tempfile
import time

START_S = 5  # redis-server is up in 20 ms; this is for a machine under load


class Server:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="moil-peers-")
        self.path = self.folder + "/redis.sock"
        self.calls = 0  # commands sent by ourselves, to be left out of what a peer is charged
        self.link = self.lines = self.process = None

    def start(self):
        args = ["redis-server", "--port", "0", "--unixsocket", self.path, "--dir", self.folder,
                "--save", "", "--appendonly", "no", "--logfile", self.folder + "/redis.log"]
        self.process = subprocess.Popen(args, start_new_session=True, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.time() + START_S
        while True:
            try:
                self.link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self.link.connect(self.path)
                break
            except OSError:
                self.link.close()
                if self.process.poll() is not None or time.time() > deadline:
                    raise RuntimeError("redis-server did not start") from None
                time.sleep(0.01)
        self.lines = self.link.makefile("rb")
        return self

    def stop(self):
        if self.link:
            self.link.close()
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, *words):
        words = [str(w).encode() for w in words]
        self.link.sendall(b"*%d\r\n" % len(words)
                          + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        self.calls += 1
        return self._reply()

    def _reply(self):
        line = self.lines.readline()
        kind, rest = line[:1], line[1:].strip().decode()
        if kind == b"-":
            raise RuntimeError("Redis: " + rest)
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == "-1" else self.lines.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self._reply() for _ in range(int(rest))]
        if kind == b"+":
            return rest
        raise RuntimeError("redis-server went away")

    def info(self, section):
        text = self.call("INFO", section)
        return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)

    def charged(self):
        """Commands run for others so far (calls inside scripts count), and Redis's CPU in µs."""
        cpu = self.info("cpu")
        stats = self.info("commandstats").values()
        calls = sum(int(s.split("calls=")[1].split(",")[0]) for s in stats)
        cpu_us = (float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])) * 1e6
        return calls - self.calls + 1, cpu_us  # + 1: this INFO is not in its own answer
