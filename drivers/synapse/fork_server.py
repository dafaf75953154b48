"""Forks Synapse processes, so that one need not read its modules again; fork-server.ts says what it is asked and answers."""

import gc
import json
import os
import select
import signal
import sys

# What modules print is no answer.
answers = os.dup(1)
os.dup2(2, 1)

# While modules are read there is no garbage. What Synapse starts with afterwards takes collecting over itself.
gc.disable()

from twisted.internet.main import installReactor

try:
    from synapse.app.complement_fork_proxied_reactor import ProxiedReactor
except ImportError:  # older releases
    from synapse.app.complement_fork_starter import ProxiedReactor

# A reactor does not survive a fork: each process gets its own behind this one. Synapse's own image for Complement does the same.
reactor = ProxiedReactor()
installReactor(reactor)

from synapse.app import homeserver
from twisted.internet.epollreactor import EPollReactor

# Nothing of it becomes garbage: the pages stay shared.
gc.freeze()


children = set()


def say(what):
    os.write(answers, json.dumps(what).encode() + b"\n")


def tell_ends():
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        children.discard(pid)
        code = os.waitstatus_to_exitcode(status)
        say({"pid": pid, "code": code} if code >= 0 else {"pid": pid, "signal": signal.Signals(-code).name})


def begin(asked, wakes):
    """The process id; in the new process None."""
    read, written = os.pipe()
    pid = os.fork()
    if pid != 0:
        os.close(written)
        # From then on its group can be signalled.
        os.read(read, 1)
        os.close(read)
        children.add(pid)
        return pid
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    for end in (*wakes, answers):
        os.close(end)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    log = os.open(asked["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for output in (1, 2):
        os.dup2(log, output)
    os.close(log)
    os.chdir(asked["cwd"])
    os.environ.update(asked["env"])
    sys.argv = [homeserver.__file__, *asked["arguments"]]
    os.write(written, b".")
    os.close(written)
    return None


def serve():
    """Until nobody can ask any more; returns in forked processes only."""
    wakes = os.pipe()
    for end in wakes:
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wakes[1])
    signal.signal(signal.SIGCHLD, lambda *_: None)
    say({"ready": True})
    heard = b""
    while True:
        ready, _, _ = select.select([0, wakes[0]], [], [])
        if wakes[0] in ready:
            os.read(wakes[0], 4096)
            tell_ends()
        if 0 not in ready:
            continue
        read = os.read(0, 65536)
        if read == b"":
            for pid in children:
                os.killpg(pid, signal.SIGKILL)
            os._exit(0)
        *lines, heard = (heard + read).split(b"\n")
        for line in lines:
            pid = begin(json.loads(line), wakes)
            if pid is None:
                return
            say({"begun": pid})


serve()
reactor._install_real_reactor(EPollReactor())
homeserver.main()
