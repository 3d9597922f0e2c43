"""A machine as docs/deploy.md sets it up, in a folder: the repository, releases, .env, and the service behind nginx.

Only these are stand-ins, by the PATH of deploy/upgrade: systemctl (systemd.py), runuser (nobody else is there), ls,
which lingers, and python3, which makes an environment that finds the packages of these tests, so that pip has nothing
to fetch.
"""

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.conftest import SECRET
from tests.deploy import systemd
from tests.gunicorn_server import ROOT, Server, free_port

CODE = ["mechtech", "deploy", "wsgi.py", "gunicorn.conf.py", "schema.sql", "seed.sql"]
REQUIREMENTS = ["requirements.txt", "requirements-postgresql.txt"]
STAND_INS = {
    "systemctl": f'PYTHONPATH={ROOT} exec {sys.executable} -m tests.deploy.systemd "$@"',
    "runuser": 'shift 3; exec "$@"',  # -u mechtech --
    "ls": '/bin/ls "$@"; exec >&-; sleep 0.2',  # ends late, as it may on a busy machine
    "python3": f"""
{sys.executable} -m venv --without-pip "$3"
for packages in "$3"/lib/python*/site-packages; do echo {sysconfig.get_path("purelib")} > "$packages/tests.pth"; done
for name in pip flask gunicorn; do
    printf '#!%s\\nimport runpy\\nrunpy.run_module("%s", run_name="__main__")\\n' "$3/bin/python" $name > "$3/bin/$name"
    chmod +x "$3/bin/$name"
done""",
}


class Machine:
    """With its first release in place, and the service running."""

    def __init__(self, folder: Path):
        self.folder, self.home, self.backups = folder, folder / "mechtech", folder / "backups"
        self.database = folder / "test.db"
        self.current = self.home / "current"
        for made in (self.home, self.backups, folder / "bin"):
            made.mkdir()
        for name, script in STAND_INS.items():
            (folder / "bin" / name).write_text(f"#!/bin/bash -e\n{script}\n")
            (folder / "bin" / name).chmod(0o755)
        self._make_repository()
        (self.home / ".env").write_text(
            f"DB_PATH={self.database}\nJWT_SECRET={SECRET}\nRATE_LIMIT='1000000 per hour'\nWEB_CONCURRENCY=2\n"
            "METRICS_TOKEN=a-token-of-the-tests\n"
        )
        self.listener = socket.create_server(("127.0.0.1", free_port()), backlog=1024)
        self.caller = Server({}, folder / "service.log")
        self.caller.port = self.listener.getsockname()[1]
        self.service = systemd.Service(self.current, folder, self.listener.fileno(), {})

    def __enter__(self):
        first = self.upgrade("first")
        assert first.returncode == 0, first.stderr
        self.service.start()
        return self

    def __exit__(self, *exc):
        self.service.stop()
        self.listener.close()

    def _make_repository(self):
        self.work = self.folder / "work"
        self.work.mkdir()
        for name in CODE + REQUIREMENTS:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.work / name)
        self._git("init", "--quiet")
        self.tag("first")
        subprocess.run(["git", "clone", "--quiet", "--mirror", self.work, self.home / "repository"], check=True)

    def tag(self, name: str):
        """Commit what is in the folder `work`, under this name, and return there to the first release."""
        self._git("add", ".")
        self._git("-c", "user.name=Tests", "-c", "user.email=tests@mail.example", "commit", "--quiet", "-m", name)
        self._git("tag", name)
        self._git("checkout", "--quiet", "first")

    def _git(self, *args: str):
        subprocess.run(["git", "-C", self.work, *args], check=True)

    def upgrade(self, name: str) -> subprocess.CompletedProcess:
        """Run the deploy/upgrade of the release in place, as an operator does; before there is one, the project's."""
        script = self.current / "deploy/upgrade"
        environ = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "MECHTECH_HOME": str(self.home),
            "MECHTECH_BACKUPS": str(self.backups),
            "MECHTECH_HEALTH": f"http://127.0.0.1:{self.caller.port}/health",
            "CODE": str(self.current),
            "FOLDER": str(self.folder),
            "LISTENER": str(self.listener.fileno()),
        }
        return subprocess.run(
            [script if script.exists() else ROOT / "deploy/upgrade", name],
            env=environ,
            pass_fds=[self.listener.fileno()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def releases(self) -> set[str]:
        return {path.name for path in (self.home / "releases").iterdir()}

    def master(self) -> int:
        return int(self.service.pid_file.read_text())
