"""A PostgreSQL for the tests: `python -m tests.postgresql_server COMMAND…` runs the command with DATABASE_URL.

Where DATABASE_URL is set, that server is used, and its role makes and drops databases there. Otherwise a throwaway one
is started from the installed binaries. Each DB_PATH of a test gets a database of its own, by its path.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tests.gunicorn_server import free_port

SERVER = os.environ.get("DATABASE_URL", "")
EMPTY = """
    SELECT pg_terminate_backend(pid, 5000)
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
    DROP SCHEMA public CASCADE;
    CREATE SCHEMA public"""
_numbers = count()
_urls: dict[str, str] = {}  # by DB_PATH
_free: list[str] = []  # those that other tests had


def database_of(path) -> dict:
    """The setting of a test whose DB_PATH this is; {} where the tests run on SQLite."""
    if not SERVER:
        return {}
    if str(path) not in _urls:
        _urls[str(path)] = _free.pop() if _free else _create()
    return {"DATABASE_URL": _urls[str(path)]}


def _create() -> str:
    name = f"mechtech_test_{os.getpid()}_{next(_numbers)}"
    execute(SERVER, f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
    return urlsplit(SERVER)._replace(path=f"/{name}").geturl()


def drop_database_of(path) -> None:
    """Empty it for the next test, which is a tenth of the work of making one."""
    if url := _urls.pop(str(path), None):
        execute(url, EMPTY)
        _free.append(url)


def drop_all() -> None:
    for url in (*_urls.values(), *_free):
        execute(SERVER, f"DROP DATABASE IF EXISTS {urlsplit(url).path[1:]} WITH (FORCE)")


def execute(url: str, statement: str, params=()) -> list[tuple]:
    """Rows of the database itself, past the service; `?` stands for a parameter, as on SQLite."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.replace("%", "%%").replace("?", "%s"), params)
        return cursor.fetchall() if cursor.description else []


def find_program(name: str) -> str:
    """The path of one of PostgreSQL's programs. Ends the tests where it is not installed, as Debian does it too."""
    found = shutil.which(name) or max(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), default=None)
    if found is None:
        sys.exit(f"{name} is missing: install PostgreSQL (apt-get install postgresql), or set DATABASE_URL.")
    return found


class Throwaway:
    """A server in a folder of its own that a test may stop, kill and start again. fsync: "on" flushes each commit."""

    def __init__(self, fsync: str = "off"):
        self._fsync = fsync
        self.folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self.port = free_port()
        self.url = f"postgresql://mechtech@127.0.0.1:{self.port}/postgres"
        self._as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        if self._as_user:
            shutil.chown(self.folder, "postgres")

    def __enter__(self):
        self._run("initdb", "-U", "mechtech", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
        self.start()
        return self

    def __exit__(self, *exc):
        self._run("pg_ctl", "-m", "immediate", "stop", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c max_connections=500"
        options += f" -c fsync={self._fsync}"
        self._run("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """mode "immediate" is a crash: the next start recovers from the log."""
        self._run("pg_ctl", "-w", "-m", mode, "stop")

    @contextmanager
    def hanging(self):
        """Every process of the server is stopped meanwhile: connections are taken by the system, and nobody answers."""
        master = (self.folder / "data" / "postmaster.pid").read_text().split()[0]
        os.kill(int(master), signal.SIGSTOP)  # first: then none of its processes begins, or is gone once it ends
        pids = [master, *Path(f"/proc/{master}/task/{master}/children").read_text().split()]
        for pid in pids:
            os.kill(int(pid), signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(int(pid), signal.SIGCONT)

    def _run(self, program: str, *args: str, check: bool = True) -> None:
        command = [*self._as_user, find_program(program), "-D", str(self.folder / "data"), *args]
        subprocess.run(command, cwd=self.folder, stdout=subprocess.DEVNULL, check=check)


def main(command: list[str]) -> int:
    if SERVER:
        return subprocess.call(command)
    with Throwaway() as server:
        return subprocess.call(command, env={**os.environ, "DATABASE_URL": server.url})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
