"""Commands as a person runs them: each in a process of its own."""

import subprocess
import tempfile
from pathlib import Path

from tests.forks import Forked

SECONDS = 60  # until a command that hangs has failed


def flask(environ: dict, *args: str, typed: str = "") -> subprocess.CompletedProcess:
    """Run `flask --app wsgi` with these arguments, and with `typed` on its standard input, which is no terminal."""
    with tempfile.TemporaryDirectory() as folder:
        stdin, stdout, stderr = (Path(folder, name) for name in ("stdin", "stdout", "stderr"))
        stdin.write_text(typed)
        process = start_flask(environ, *args, stdin=stdin, stdout=stdout, stderr=stderr)
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(args, process.returncode, stdout.read_text(), stderr.read_text())


def start_flask(environ: dict, *args: str, **files) -> Forked:
    """It goes on running. files: as Forked takes them."""
    return Forked(_flask, ["flask", "--app", "wsgi", *args], environ, **files)


def _flask() -> None:
    from flask.cli import main

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
