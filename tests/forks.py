"""Processes forked from one that has done the imports: they start in a tenth of the time of a new interpreter.

Each has its own environment, arguments and files, as if it had been started from a shell in the project's folder.
"""

import atexit
import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path
from threading import Lock

ROOT = Path(__file__).parent.parent
NULL = "/dev/null"
STARTING = Lock()


def forks() -> ForkServerContext:
    """The context that makes such processes. The one that it forks them from starts at the first call."""
    with STARTING:
        return _start()


@cache
def _start() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["tests.forks", "mechtech", "flask.cli", "gunicorn.app.wsgiapp", "gunicorn.workers.gthread"]
    )
    with contextlib.chdir(ROOT):  # where its imports are found, and where gunicorn is to be
        forkserver.ensure_running()
    return context


def surroundings(environ: dict) -> dict:
    """The settings, and what any process needs to run."""
    path = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {**path, **environ}


class Forked:
    """A process, with those methods of subprocess.Popen that the tests use. It leads a session of its own.

    main: called without arguments; it finds args in sys.argv. stdin, stdout, stderr: paths.
    """

    def __init__(self, main: Callable, args: list[str], environ: dict, stdin=NULL, stdout=NULL, stderr=NULL):
        files = (stdin, stdout, stderr)
        self.args = args
        self._process = forks().Process(target=_run, args=(main, args, surroundings(environ), files))
        self._process.start()
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, seconds: float | None = None) -> int:
        self._process.join(seconds)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, seconds)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _run(main: Callable, args: list[str], environ: dict, files: tuple) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(ROOT)
    for number, (file, name, mode) in enumerate(zip(files, ("stdin", "stdout", "stderr"), "rww", strict=True)):
        os.dup2(os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND), number)
        setattr(sys, name, os.fdopen(number, mode, closefd=False))
    sys.argv = list(args)
    try:
        main()
    finally:
        atexit._run_exitfuncs()  # as any interpreter does when it ends; multiprocessing leaves them out
