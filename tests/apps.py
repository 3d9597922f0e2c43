"""Apps in this process. Making one takes as long as some thirty requests, so the tests of a module share theirs."""

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mechtech import create_app, prepare_database
from mechtech.settings import from_environment
from mechtech.web.paths import App
from tests.answers import sql
from tests.described import DescribedClient
from tests.postgresql_server import SERVER, database_of, drop_database_of

App.test_client_class = DescribedClient  # every answer that a test gets is held to the description

SECRET = "a-secret-of-the-tests-of-32-bytes-or-more"
LOG_BYTES = 4 * 2**20  # to which the write-ahead log may grow: it may be in memory
TABLES = (
    "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    if SERVER
    else "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'sqlite_sequence'"
)


def environ_of(path) -> dict:
    """The settings of tests whose database is at the path, as an environment."""
    return {
        "DB_PATH": str(path),
        "JWT_SECRET": SECRET,
        "BCRYPT_ROUNDS": "4",
        "RATE_LIMIT": "1000000 per hour",
        **database_of(path),
    }


def started(environ) -> App:
    """An app as a server has it when it starts: with its database up to date."""
    app = create_app(from_environment(environ))
    prepare_database(app)
    return app


@contextlib.contextmanager
def fast_folder() -> Iterator[Path]:
    """A folder for databases that no test cuts the power of: in memory where the system has a place there."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


class Apps:
    """The apps of a module, one for each environment, on one database that every test finds empty.

    A test that changes the app itself, hides or damages the files, or has another process work with the database, is
    marked own_database: it gets an app of its own, whose database is not made yet.
    """

    def __init__(self, folder: Path):
        self._folder, self._number = folder, 0
        self._begin()

    def _begin(self) -> None:
        self._number += 1
        self._path = self._folder / f"{self._number}.db"
        self._apps: dict[frozenset, App] = {}
        self._tables: set[str] = set()

    def environ(self) -> dict:
        return environ_of(self._path)

    def started(self, environ: dict) -> App:
        if environ["DB_PATH"] != str(self._path):
            return started(environ)
        key = frozenset(environ.items())
        if key not in self._apps:
            self._apps[key] = started(environ)
        self._tables = self._tables or self._find_tables()
        return self._apps[key]

    def empty(self) -> None:
        """Bring the database and the counts of the limits back to their first state, or begin with new ones."""
        if not self._apps and not self._path.exists():
            return
        found = self._find_tables()
        if not self._tables or not found >= self._tables:
            self.close()
            self._begin()
            return
        tables = self._tables - {"schema_migrations"}
        if SERVER:
            sql(self._path, f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE")
            for table in found - self._tables:
                sql(self._path, f"DROP TABLE {table}")
        else:
            with contextlib.closing(sqlite3.connect(self._path, timeout=20)) as connection, connection:
                connection.execute("PRAGMA synchronous = OFF")
                for table in (*tables, "sqlite_sequence"):
                    connection.execute(f"DELETE FROM {table}")
                for table in found - self._tables:
                    connection.execute(f"DROP TABLE {table}")
                connection.commit()
                if Path(f"{self._path}-wal").stat().st_size > LOG_BYTES:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if Path(f"{self._path}.hits").exists():
            for app in self._apps.values():
                app.extensions["mechtech.limiter"].storage.reset()

    def _find_tables(self) -> set[str]:
        with contextlib.suppress(sqlite3.Error):
            return {name for (name,) in sql(self._path, TABLES)}
        return set()

    def close(self) -> None:
        self._apps.clear()
        drop_database_of(self._path)
