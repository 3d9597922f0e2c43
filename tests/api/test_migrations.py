"""A database that exists is brought up to date at start, once, with nothing lost; a newer one is refused."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mechtech.database import migrate
from mechtech.database.sqlite import Database, Transaction
from tests.answers import sql
from tests.commands import failed, flask, succeeded
from tests.conftest import SECRET, Api, signup, started
from tests.gunicorn_server import ROOT, Server
from tests.tools import at_once

pytestmark = [pytest.mark.own_database, pytest.mark.sqlite]  # its statements are SQLite's own

SCRIPTS = migrate.scripts("sqlite")
SCHEMA = (ROOT / "schema.sql").read_text(encoding="utf-8")


def old_database(path) -> None:
    """A database of the version before there were migrations, with an account and what it issued."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        Transaction(connection).script(SCRIPTS[0])
        connection.execute("PRAGMA user_version = 1")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("INSERT INTO users (email, password, name) VALUES ('Old@example.com', 'x', 'Old')")
        connection.execute(
            """
            INSERT INTO bookings (user_id, name, email, vehicle_type, vehicle_brand, vehicle_model, service_type)
            VALUES (1, 'Old', 'old@example.com', 'Car', 'Fiat', '500', 'Towing')
            """
        )


def shape(path) -> dict:
    """Every table with its columns, every index with what it covers, and every trigger."""
    with closing(sqlite3.connect(path)) as connection:
        found = {}
        for kind, name, table, script in connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema"):
            if kind == "table" and not name.startswith("sqlite_"):
                columns = connection.execute(f"PRAGMA table_info({name})").fetchall()
                checks = sorted(re.findall(r"CHECK \([^\n]*", script))
                found[kind, name] = [column[1:] for column in columns], checks, "STRICT" in script
            elif script is not None:
                found[kind, name] = table, " ".join(script.split())
        return found


def test_the_schema_of_a_new_database_is_what_all_migrations_make(tmp_path):
    old_database(tmp_path / "old.db")
    for name in ("old", "new"):
        Database(str(tmp_path / f"{name}.db"), SCHEMA, SCRIPTS).make()
    assert shape(tmp_path / "old.db") == shape(tmp_path / "new.db")


def test_a_database_of_the_version_before_loses_nothing_and_its_tokens_stay_good(environ, tmp_path):
    import time

    import jwt

    old_database(environ["DB_PATH"])
    now = int(time.time())
    token = jwt.encode({"userId": 1, "iat": now - 60, "exp": now + 600}, SECRET, "HS256")
    ended = jwt.encode({"userId": 1, "iat": now - 120, "exp": now + 600}, SECRET, "HS256")
    sql(environ["DB_PATH"], f"UPDATE users SET tokens_valid_from = {now - 90}")  # as a new password did then
    client = Api(started(environ).test_client())
    assert client.get("/api/auth/profile", token=ended).status_code == 401
    assert client.get("/api/auth/profile", token=token).json["user"]["email"] == "Old@example.com"
    assert client.get("/api/booking/1", token=token).json["booking"]["history"][0]["by"] == "customer"
    versions = [(number,) for number in range(1, len(SCRIPTS) + 1)]
    assert sql(environ["DB_PATH"], "SELECT version FROM schema_migrations ORDER BY version") == versions
    copy = Path(f"{environ['DB_PATH']}.version-1")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert sql(copy, "SELECT email FROM users") == [("Old@example.com",)]


def test_migrations_run_once_also_when_several_processes_start_together(tmp_path):
    old_database(tmp_path / "old.db")
    environ = {"DB_PATH": str(tmp_path / "old.db"), "JWT_SECRET": SECRET}
    for result in at_once(4, lambda number: flask(environ, "migrate")):
        succeeded(result)
    assert sql(tmp_path / "old.db", "SELECT COUNT(*) FROM schema_migrations") == [(len(SCRIPTS),)]


def test_a_migration_that_fails_changes_nothing_and_leaves_no_copy_of_its_own(tmp_path):
    old_database(tmp_path / "old.db")
    earlier = tmp_path / "old.db.version-1"
    earlier.write_text("a copy of an earlier migration")
    before = set(tmp_path.iterdir())
    broken = [*SCRIPTS, "CREATE TABLE another (id INTEGER);\nINSERT INTO nowhere VALUES (1);"]
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError):
            Database(str(tmp_path / "old.db"), SCHEMA, broken).make()
        assert migrate_version(tmp_path / "old.db") == 1
        assert {file for file in tmp_path.iterdir() if file.suffix not in (".lock", ".db-wal", ".db-shm")} == before
        assert earlier.read_text() == "a copy of an earlier migration"
    (tmp_path / "old.db.unfinished-copy").write_text("what a try that was killed has left")
    Database(str(tmp_path / "old.db"), SCHEMA, SCRIPTS).make()
    assert sql(earlier, "SELECT email FROM users") == [("Old@example.com",)]
    assert not list(tmp_path.glob("*unfinished*"))


def test_nothing_is_migrated_where_the_copy_cannot_get_its_name(tmp_path):
    old_database(tmp_path / "old.db")
    (tmp_path / "old.db.version-1").mkdir()
    with pytest.raises(OSError):
        Database(str(tmp_path / "old.db"), SCHEMA, SCRIPTS).make()
    assert migrate_version(tmp_path / "old.db") == 1


@pytest.mark.parametrize("table", ["pets (name TEXT)", "schema_migrations (version TEXT)"])
def test_a_database_of_another_program_is_refused_and_stays_as_it_is(environ, table):
    sql(environ["DB_PATH"], f"CREATE TABLE {table}")
    before = Path(environ["DB_PATH"]).read_bytes()
    with pytest.raises(migrate.WrongDatabase, match="something else: DB_PATH"):
        started(environ)
    assert Path(environ["DB_PATH"]).read_bytes() == before


def migrate_version(path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return migrate.version(Transaction(connection))


def test_a_newer_database_is_refused_by_server_and_commands_in_one_line(environ, tmp_path):
    signup(Api(started(environ).test_client()))
    sql(environ["DB_PATH"], "INSERT INTO schema_migrations (version) VALUES (999)")
    for options in ([], ["--check"]):
        assert "The database is of version 999" in failed(flask(environ, "migrate", *options))
    server = Server(environ, tmp_path / "log", "--check-config")
    server.start(wait=False)
    assert server.process.wait(20) != 0
    (line,) = server.log.read_text().splitlines()
    assert "The database is of version 999" in line


def test_migrate_check_tells_whether_a_migration_is_due(environ):
    old_database(environ["DB_PATH"])
    result = flask(environ, "migrate", "--check")
    assert (result.returncode, "version 1" in result.stdout) == (1, True)
    assert migrate_version(environ["DB_PATH"]) == 1
    succeeded(flask(environ, "migrate"))
    succeeded(flask(environ, "migrate", "--check"))
