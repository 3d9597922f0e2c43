"""Commands as a person runs them: each in a process of its own, forked from one that has done the imports."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
SECONDS = 60  # until a command that hangs has failed
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.commands", "flask.cli", "mechtech"])


def surroundings(environ: dict) -> dict:
    path = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {**path, **environ}


def flask(environ: dict, *args: str, typed: str = "") -> subprocess.CompletedProcess:
    """Run `flask --app wsgi` with these arguments, and with `typed` on its standard input, which is no terminal."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("stdin", "stdout", "stderr")]
        files[0].write_text(typed)
        process = FORKS.Process(target=_run, args=(surroundings(environ), args, files))
        process.start()
        process.join(SECONDS)
        if process.is_alive():
            process.kill()
            raise subprocess.TimeoutExpired(args, SECONDS)
        said = [file.read_text() for file in files[1:]]
    return subprocess.CompletedProcess(args, process.exitcode, *said)


def _run(environ: dict, args: tuple[str, ...], files: list[Path]) -> None:
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(ROOT)
    for number, (file, name, mode) in enumerate(zip(files, ("stdin", "stdout", "stderr"), "rww", strict=True)):
        os.dup2(os.open(file, os.O_RDWR | os.O_CREAT), number)
        setattr(sys, name, os.fdopen(number, mode, closefd=False))
    from flask.cli import main

    sys.argv = ["flask", "--app", "wsgi", *args]
    main()


def succeeded(result: subprocess.CompletedProcess) -> str:
    """What a command said that must have worked."""
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    return result.stdout


def failed(result: subprocess.CompletedProcess) -> str:
    """What a command said, in one line, that must have failed."""
    assert result.returncode != 0, result.stdout
    (line,) = result.stderr.splitlines()
    return line
