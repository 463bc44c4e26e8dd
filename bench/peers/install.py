"""Brings the peers into build/peers/, each from its own registry, once.

Called by main.py. What is there already is used as it is: delete build/peers/ for newer versions.
Missing tools (python3-venv, nodejs, npm, golang, redis-server) come from Debian, if we are root.
A peer that cannot be had raises Unavailable with the reason; the others are not touched by it.
"""
import os
import shutil
import subprocess
import sys

from processes import complaint

HERE = os.path.dirname(os.path.abspath(__file__))
INSTALL_S = 900


class Unavailable(Exception):
    """Why a peer cannot be had, in one line."""


def sh(command, log_path, cwd=None):
    with open(log_path, "wb") as log:
        try:
            code = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=log, timeout=INSTALL_S, check=False).returncode
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(str(error)) from None
    if code:
        raise Unavailable(f"{' '.join(command[:3])} failed: {complaint(log_path)}; see {log_path}")


def debian(package, build):
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Unavailable(f"the Debian package {package} is missing, and we cannot install it")
    log_path = os.path.join(build, "apt.log")
    sh(["apt-get", "update"], log_path)
    sh(["apt-get", "install", "-y", "--no-install-recommends", package], log_path)


def need(tool, package, build):
    """A program on the PATH, from Debian if it is missing."""
    if not shutil.which(tool):
        debian(package, build)


def python(build, folder, packages):
    exe = os.path.join(folder, "bin", "python")
    log_path = folder + ".log"
    try:
        sh([sys.executable, "-m", "venv", "--clear", folder], log_path)
    except Unavailable:
        debian("python3-venv", build)
        sh([sys.executable, "-m", "venv", "--clear", folder], log_path)
    sh([exe, "-m", "pip", "install", "--no-input", *packages], log_path)


def node(build, folder, packages):
    need("node", "nodejs", build)
    need("npm", "npm", build)
    with open(os.path.join(folder, "package.json"), "w") as file:
        file.write('{"name": "peers", "private": true}\n')
    sh(["npm", "install", "--no-audit", "--no-fund", *packages], folder + ".log", folder)


def go(build, folder, packages):
    need("go", "golang-go", build)
    log_path = folder + ".log"
    for name in ("main.go", "client.go"):
        shutil.copy(os.path.join(HERE, "asynq", name), folder)
    if not os.path.exists(os.path.join(folder, "go.mod")):
        sh(["go", "mod", "init", "peer"], log_path, folder)
        sh(["go", "get", *packages], log_path, folder)
        sh(["go", "mod", "tidy"], log_path, folder)
    sh(["go", "build", "-o", "peer", "."], log_path, folder)


# name: how, packages, command of the peer within its folder, jobs/s to begin with
PEERS = {
    "celery": (python, ["celery", "redis", "packaging"], ["bin/python", "celery_app.py"], 450),
    "rq": (python, ["rq"], ["bin/python", "rq_app.py"], 250),
    "bullmq": (node, ["bullmq", "ioredis"], ["node", "bullmq.js"], 5500),
    "beequeue": (node, ["bee-queue"], ["node", "beequeue.js"], 7600),
    "asynq": (go, ["github.com/hibiken/asynq@latest"], ["peer"], 5900),
}


def have(name, build):
    """Installs a peer if needed; its command line and the environment that it wants."""
    how, packages, words, guess = PEERS[name]
    folder = os.path.join(build, name)
    done = os.path.join(folder, ".installed")
    os.makedirs(folder, exist_ok=True)
    if how is go or not os.path.exists(done):  # our own Go code may have changed
        how(build, folder, packages)
        open(done, "w").close()
    env = dict(os.environ, NODE_PATH=os.path.join(folder, "node_modules"), NODE_ENV="production",
               PYTHONDONTWRITEBYTECODE="1")
    first = words[0] if words[0] == "node" else os.path.join(folder, words[0])
    return [first] + [os.path.join(HERE, word) for word in words[1:]], env, guess
