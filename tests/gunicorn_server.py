"""A real gunicorn in processes of its own, for what only shows there: limits, signals, races, crashes."""

import contextlib
import http.client
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from tests.forks import ROOT, Forked, surroundings  # noqa: F401  tests import ROOT from here

# A thousand for each process of the tests, below those that the system gives to whoever asks for any.
FIRST_PORT = 20_000 + 1000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_ports = itertools.cycle(random.sample(range(FIRST_PORT, FIRST_PORT + 1000), 1000))


def _gunicorn() -> None:
    from gunicorn.app.wsgiapp import run

    run()


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Server:
    """Runs `gunicorn wsgi:app` in a process group of its own. environ: the settings.

    root: where its code is; it is started as from a shell then. Without it, it is forked.
    """

    def __init__(self, environ: dict, log: Path, *args: str, root: Path | None = None):
        self.root = root
        self.port = free_port()
        self.environ = {**environ, "HOST": "127.0.0.1", "PORT": str(self.port)}
        self.log = log
        self.args = args
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.kill()

    def start(self, wait: bool = True):
        args = ["gunicorn", *self.args, "wsgi:app"]
        if self.root is None:
            self.process = Forked(_gunicorn, args, self.environ, stdout=self.log, stderr=self.log)
        else:
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", *args],
                    cwd=self.root,
                    env=surroundings(self.environ),
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
        if wait:
            self.wait_until_up()

    def wait_until_up(self, seconds: float = 20):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"gunicorn ended with {self.process.returncode}:\n{self.log.read_text()}")
            try:
                self.call("GET", "/health", timeout=1)
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"gunicorn did not come up:\n{self.log.read_text()}")

    def signal(self, number: int):
        """To the master process."""
        self.process.send_signal(number)

    def kill(self):
        """SIGKILL to every process at once, as a power cut would."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        if self.process:
            self.process.wait()

    def stop(self, seconds: float = 30) -> int:
        """SIGTERM, and the exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def connect(self, timeout: float = 30) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def call(self, method, path, json=None, token=None, headers=None, body=None, timeout=30) -> Answer:
        """On a connection of its own."""
        connection = self.connect(timeout)
        try:
            return call(connection, method, path, json, token, headers, body)
        finally:
            connection.close()


def call(connection, method, path, json_body=None, token=None, headers=None, body=None) -> Answer:
    """On a connection that stays open."""
    headers = dict(headers or {})
    if json_body is not None:
        body = json.dumps(json_body)
        headers.setdefault("Content-Type", "application/json")
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    connection.request(method, path, body=body, headers=headers)
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


def free_port() -> int:
    """One that stays free while its server restarts: nobody else of these tests takes it."""
    for port in _ports:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
