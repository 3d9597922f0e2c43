import os
import resource
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.answers import sql
from tests.api.test_commands import FLASK
from tests.apps import environ_of, fast_folder
from tests.commands import failed, flask, succeeded
from tests.conftest import Api, started
from tests.forks import ROOT, surroundings

pytestmark = [pytest.mark.own_database, pytest.mark.sqlite]  # PostgreSQL has programs of its own for it


@pytest.fixture(scope="module")
def sample():
    """A folder with the sample data in test.db, which no process has open, and a backup of it."""
    with fast_folder() as folder:
        environ = environ_of(folder / "test.db")
        succeeded(flask(environ, "seed"))
        succeeded(flask(environ, "backup", str(folder / "backup.db")))
        yield folder


@pytest.fixture
def path(environ, sample):
    """Of a database with the sample data."""
    path = Path(environ["DB_PATH"])
    for file in sample.glob("test.db*"):
        shutil.copy(file, path.parent)
    return path


@pytest.fixture
def made(path, sample):
    """A backup of it."""
    return shutil.copy(sample / "backup.db", path.parent / "backup.db")


def everything(path):
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


# backup


def test_a_backup_has_every_row_in_one_file_that_only_its_owner_may_read(environ, path, tmp_path):
    said = succeeded(flask(environ, "backup", str(tmp_path / "backup.db")))
    assert "24 bookings" in said
    assert everything(tmp_path / "backup.db") == everything(path)
    assert (tmp_path / "backup.db").stat().st_mode & 0o777 == 0o600
    assert contents(tmp_path).keys() == {"test.db", "test.db.lock", "backup.db"}


def test_a_backup_replaces_no_file(environ, path, made, tmp_path):
    before = contents(tmp_path)
    for file in (path, made, tmp_path, "", "/"):
        assert "there already" in failed(flask(environ, "backup", str(file)))
    assert contents(tmp_path) == before


def test_a_full_disk_is_refused_with_nothing_left_over(environ, path, tmp_path):
    before = everything(path)
    result = subprocess.run(
        [*FLASK, "backup", str(tmp_path / "backup.db")],
        cwd=ROOT,
        env=surroundings(environ),
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size // 2,) * 2),
    )
    assert "Cannot back up" in failed(result)
    assert everything(path) == before
    assert not list(tmp_path.glob("*backup*"))


@pytest.mark.parametrize("content", [None, b"", b"x" * 5000])
def test_what_is_no_database_of_the_service_is_not_backed_up(environ, tmp_path, content):
    if content is not None:
        Path(environ["DB_PATH"]).write_bytes(content)
    assert "Cannot back up" in failed(flask(environ, "backup", str(tmp_path / "backup.db")))
    assert not (tmp_path / "backup.db").exists()


def test_keep_leaves_the_newest_of_the_pattern_and_every_other_file(environ, path, tmp_path):
    folder = tmp_path / "backups"
    folder.mkdir()
    for age, name in enumerate(["2026-01-04.db", "2026-01-03.db", "2026-01-02.db", "other.db", "2026-01-01.db.txt"], 1):
        (folder / name).touch()
        os.utime(folder / name, (1e9 - age, 1e9 - age))
    (folder / "2025-12-31.db").mkdir()
    (folder / "2025-12-30.db").symlink_to("nowhere")
    said = succeeded(flask(environ, "backup", str(folder / "%Y-%m-%d.db"), "--keep", "3"))
    kept = contents(folder)
    (new,) = [name for name, content in kept.items() if content]
    assert kept.keys() == {new, "2026-01-04.db", "2026-01-03.db", "other.db", "2026-01-01.db.txt"}
    assert new in said and "2026-01-02.db is removed" in said


def test_keep_never_removes_the_backup_that_was_just_made(environ, path, tmp_path):
    """Though others seem newer: they were made while the clock was ahead."""
    for name in ("2099-01-01.db", "2099-01-02.db"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (4e9, 4e9))
    succeeded(flask(environ, "backup", str(tmp_path / "%Y-%m-%d.db"), "--keep", "2"))
    assert len([file for file in tmp_path.glob("20*.db") if file.stat().st_size]) == 1


@pytest.mark.parametrize("name, keep", [("backup.db", "1"), ("%F.db", "1"), ("%Y.db", "0"), ("%Y.db", "many")])
def test_keep_needs_a_time_in_the_name_and_a_number(environ, path, tmp_path, name, keep):
    before = contents(tmp_path)
    assert flask(environ, "backup", str(tmp_path / name), "--keep", keep).returncode == 2
    assert contents(tmp_path) == before


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_with_postgresql_the_commands_name_its_own_programs(environ, tmp_path, command):
    line = failed(flask({**environ, "DATABASE_URL": "postgresql://a:b@127.0.0.1/c"}, command, str(tmp_path / "a.db")))
    assert "pg_dump" in line and "pg_restore" in line


# restore


def test_a_restore_brings_every_row_back_and_keeps_the_old_database(environ, path, made, tmp_path):
    rows = everything(path)
    for number in (1, 2):
        sql(path, "UPDATE users SET name = ?", (f"Changed {number}",))
        changed = everything(path)
        said = succeeded(flask(environ, "restore", str(made)))
        assert "24 bookings" in said and f"test.db.old-{number}" in said
        assert everything(tmp_path / f"test.db.old-{number}") == changed
        assert everything(path) == rows
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_what_root_restores_belongs_to_the_owner_of_the_folder(environ, path, made, tmp_path):
    os.chown(tmp_path, 4711, 4712)
    succeeded(flask(environ, "restore", str(made)))
    for name in ("test.db", "test.db.lock"):
        found = (tmp_path / name).stat()
        assert (found.st_uid, found.st_gid) == (4711, 4712)


def test_the_write_ahead_log_goes_aside_with_the_old_database(environ, path, made, tmp_path):
    rows = everything(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE users SET name = 'Changed'")
        crashed = {side: Path(f"{path}{side}").read_bytes() for side in ("", "-wal", "-shm")}
    for side, content in crashed.items():
        Path(f"{path}{side}").write_bytes(content)
    succeeded(flask(environ, "restore", str(made)))
    assert contents(tmp_path).keys() & {"test.db-wal", "test.db-shm", "test.db.restoring"} == set()
    assert everything(path) == rows
    assert sql(tmp_path / "test.db.old-1", "SELECT DISTINCT name FROM users") == [("Changed",)]
    assert "Changed" in str(everything(tmp_path / "test.db.old-1"))


def test_an_old_database_with_its_write_ahead_log_can_be_restored_too(environ, path, tmp_path):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE users SET name = 'Changed'")
        for side in ("", "-wal"):
            (tmp_path / f"copy.db{side}").write_bytes(Path(f"{path}{side}").read_bytes())
    path.unlink()
    succeeded(flask(environ, "restore", str(tmp_path / "copy.db")))
    assert sql(path, "SELECT DISTINCT name FROM users") == [("Changed",)]
    assert (tmp_path / "copy.db-wal").exists()


@pytest.mark.parametrize("content", [None, b"", os.urandom(100_000)])
def test_a_restore_works_where_the_database_is_missing_or_damaged(environ, path, made, tmp_path, content):
    rows = everything(path)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    succeeded(flask(environ, "restore", str(made)))
    assert everything(path) == rows
    assert contents(tmp_path).get("test.db.old-1") == content


def damaged(file):
    content = bytearray(file.read_bytes())
    content[8192:20480] = os.urandom(12288)
    file.write_bytes(content)


@pytest.mark.parametrize(
    "harm, told",
    [
        (Path.unlink, "unable to open"),
        (lambda file: file.write_bytes(b""), "no such table"),
        (lambda file: file.write_bytes(b"no database" * 999), "not a database"),
        (lambda file: file.write_bytes(file.read_bytes()[:40_000]), "malformed|damaged"),
        (damaged, "malformed|damaged"),
        (lambda file: sql(file, "DROP TABLE contact_messages"), "no such table"),
        (lambda file: sql(file, "DROP TABLE booking_history"), "something else"),
        (lambda file: sql(file, "INSERT INTO schema_migrations (version) VALUES (99)"), "newer"),
    ],
)
def test_a_file_that_is_no_whole_backup_is_refused_and_nothing_changes(environ, path, made, tmp_path, harm, told):
    harm(made)
    before = contents(tmp_path)
    said = failed(flask(environ, "restore", str(made)))
    assert any(text in said for text in told.split("|")) and not said.endswith("..")
    assert contents(tmp_path) == before


def test_a_restore_is_refused_while_a_process_has_the_database_open(environ, path, made, tmp_path):
    app = started(environ)
    before = everything(path)
    assert "has the database open" in failed(flask(environ, "restore", str(made)))
    assert everything(path) == before
    assert not (tmp_path / "test.db.old-1").exists()
    assert Api(app.test_client()).get("/health").status_code == 200


def test_after_a_restore_that_was_cut_short_no_empty_database_is_made(environ, path, made):
    """It was between the two names: the old database has another one already, the new one not yet its own."""
    rows = everything(path)
    Path(f"{path}.restoring").write_bytes(made.read_bytes())
    path.rename(f"{path}.old-1")
    assert "gone or empty" in failed(flask(environ, "init-db"))
    assert not path.exists()
    succeeded(flask(environ, "restore", str(made)))
    assert everything(path) == rows
