"""gunicorn finds this by itself. What is set here holds many and slow clients without a proxy in front."""

import contextlib
import ctypes
import gc
import logging
import mmap
import os
import resource
import runpy
import signal
import socket
import struct
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Imported before the fork, so that the workers share the memory. Nothing of our own: a reload takes in new code.
import bcrypt  # noqa: F401
import flask_cors  # noqa: F401
import flask_limiter  # noqa: F401
import marshmallow  # noqa: F401
from gunicorn.workers.gthread import ThreadWorker

M_ARENA_MAX = -8  # of glibc's malloc.h
LEAD = 8  # connections that a worker may have more than another
LEAD_SECONDS = 0.001  # how long it then leaves the next one to the others
AWAKE_SECONDS = 2.0  # a worker that has not said for so long how many it has, hangs or is gone: it says so each second
PLACES = 64
_shared = memoryview(mmap.mmap(-1, 16 * PLACES)).cast("d")
connections, told_at = _shared[:PLACES], _shared[PLACES:]  # of each worker
STOPPING = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}

_settings = runpy.run_path(str(Path(__file__).parent / "mechtech" / "settings.py"))  # not imported, see above
try:
    settings = _settings["load"]()
except _settings["SettingError"] as error:
    sys.exit(f"Wrong setting: {error}")


class Worker(ThreadWorker):
    def init_signals(self):
        """From here on it knows how to stop, and can be told to: what came since pre_fork has waited."""
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)

    def notify(self):
        """Between events: tell the others how many connections this one has, for as long as it accepts any."""
        super().notify()
        place = self.age % PLACES
        connections[place], told_at[place] = self.nr_conns, time.monotonic() if self.alive else 0

    def accept(self, listener):
        """Leave it to a worker that has far fewer: the first to wake would take nearly all that come at once.

        The connections that this one has wait as long.
        """
        awake = time.monotonic() - AWAKE_SECONDS
        fewest = min((count for count, at in zip(connections, told_at) if at > awake), default=self.nr_conns)
        if self.nr_conns > fewest + LEAD:
            time.sleep(LEAD_SECONDS)
        super().accept(listener)

    def get_thread_pool(self):
        return ThreadPoolExecutor(self.cfg.threads, initializer=_let_others_finish)

    def handle(self, conn):
        """Waits here for a client to hang up: else the thread that serves them all would, two seconds for each."""
        stays = super().handle(conn)
        if not stays:
            _see_off(conn.sock)
        return stays

    def set_accept_enabled(self, enabled):
        """Stop listening as soon as accepting stops: what came meanwhile would wait, to be reset at the end."""
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()


bind = f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"
workers = settings.web_concurrency
worker_class = Worker
threads = 256  # a slow client holds one while its request comes in; idle ones cost little
worker_connections = 4096
backlog = 2048
keepalive = 75  # seconds
timeout = 30
graceful_timeout = 30
limit_request_line = 8190
FAREWELL_SECONDS = 2.0  # for a client to hang up
SILENCE_SECONDS = 20  # of a client that neither sends nor reads what is due; less than graceful_timeout
control_socket_disable = True
# Whoever connects may claim nothing: TRUSTED_PROXIES says who is believed, in mechtech/proxies.py.
forwarded_allow_ips = ""
forwarder_headers = ""


def _without_secrets(record):
    """gunicorn quotes a request that it cannot read, and a token may stand there: the address and the kind must do."""
    if str(record.msg).startswith("Invalid request from ip="):
        record.msg = ": ".join(record.msg.split(": ")[:2])
    elif isinstance(record.args, tuple):
        record.args = tuple(arg.split("?")[0] if isinstance(arg, str) else arg for arg in record.args)
    return True


def _without_silence(record):
    """A client that says nothing more, or takes nothing more, is no error of ours."""
    return not (record.exc_info and isinstance(record.exc_info[1], BlockingIOError))


for _filter in (_without_secrets, _without_silence):
    logging.getLogger("gunicorn.error").addFilter(_filter)

cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [None]

# Every connection is a file, and the usual soft limit is 1024.
hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
with contextlib.suppress(ValueError, OSError):  # not every system takes it
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
# glibc would give many of the threads a heap of their own, a third more memory in all.
with contextlib.suppress(AttributeError, OSError):  # another C library
    ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def _let_others_finish():
    """For threads that serve: one that is woken does not interrupt another, or it would only wait for Python's lock."""
    if hasattr(os, "SCHED_BATCH"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _see_off(sock):
    """Let a client read its last answer to the end, and take what it may still send."""
    deadline = time.monotonic() + FAREWELL_SECONDS
    with contextlib.suppress(OSError):
        try:
            sock.shutdown(socket.SHUT_WR)
            while (left := deadline - time.monotonic()) > 0:
                sock.settimeout(left)
                if not sock.recv(65536):
                    break
        finally:
            sock.shutdown(socket.SHUT_RDWR)  # so that nobody waits for more


def when_ready(server):
    """Connections inherit what their listener has."""
    # The master listens again, once pre_fork's new worker is there.
    os.register_at_fork(after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING))
    for listener in server.LISTENERS:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            listener.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", SILENCE_SECONDS, 0))
        # One wakes a worker when its first byte is there, not before.
        if hasattr(socket, "TCP_DEFER_ACCEPT") and listener.sock.family in (socket.AF_INET, socket.AF_INET6):
            listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 30)
    if server.cfg.reload:
        _greet()


def pre_fork(server, worker):
    """A core for each worker, the one with the fewest. What tells it to stop waits for its init_signals.

    Until then it has the master's handlers: the signal would be lost, and the worker waited for until graceful_timeout.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    taken = [getattr(sibling, "core", None) for sibling in server.WORKERS.values()]
    worker.core = min(cores, key=taken.count)


def post_worker_init(worker):
    """Its threads take turns with Python, and a turn that changes the core costs several times as much."""
    gc.freeze()  # what is there now stays: the collector need not look at it again
    if worker.core is not None:
        with contextlib.suppress(OSError):  # where this is not allowed, it is only slower
            os.sched_setaffinity(0, {worker.core})


def _greet():
    """For whoever typed `make run`."""
    address = f"http://{bind}"
    print(
        f"\n  MechTECH is at {address}\n\n"
        "  Sample accounts, password password123:\n"
        "    john@mechtech.example   customer\n"
        "    jane@mechtech.example   customer\n"
        "    admin@mechtech.example  admin\n\n"
        f"  Try:  curl '{address}/api/mechanics/?latitude=40.71&longitude=-74.01'\n",
        flush=True,
    )
