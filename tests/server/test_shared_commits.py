"""Group commit: writes that wait together share a commit, yet each is still on its own, and none is told too soon."""

import os
import sqlite3
import threading
import time
from contextlib import closing

import pytest

from mechtech.database import Duplicate, writer
from mechtech.database.sqlite import Database
from mechtech.errors import Unavailable
from tests.tools import at_once, sql

pytestmark = pytest.mark.sqlite  # its statements are SQLite's own

SCHEMA = "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;"
INSERT = "INSERT INTO notes (text) VALUES (:text) RETURNING id"


class Changed(Exception):
    """The work of a transaction refuses."""


@pytest.fixture
def db(tmp_path):
    database = Database(str(tmp_path / "notes.db"), SCHEMA)
    database.make()
    return database


def kept(db) -> set:
    """What another process finds in the file."""
    return {text for (text,) in sql(db.path, "SELECT text FROM notes")}


def attempt(work):
    """What work() returns or raises."""
    try:
        return work()
    except (Changed, Duplicate, Unavailable) as error:
        return error


def together(db, count, write) -> list:
    """What write(number) returns or raises, of writers that all wait while a first transaction is at work."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(tx):
        begun.set()
        assert go_on.wait(10)

    first = threading.Thread(target=db.transaction, args=[hold])
    first.start()
    assert begun.wait(10)
    threading.Timer(0.3, go_on.set).start()
    results = at_once(count, lambda number: attempt(lambda: write(number)))
    first.join()
    return results


@pytest.mark.parametrize("count", [2, 12, 70])
def test_writes_that_waited_together_are_all_in_the_file_when_each_is_told(db, count):
    def write(number):
        db.write(INSERT, {"text": f"note {number}"})
        return f"note {number}" in kept(db)

    assert together(db, count, write) == [True] * count


def test_a_transaction_that_fails_undoes_itself_and_no_other(db):
    def write(number):
        def work(tx):
            tx.write(INSERT, {"text": f"note {number}"})
            tx.write(INSERT, {"text": f"second {number}"})
            if number % 3 == 0:
                raise Changed
            return number

        return db.transaction(work)

    results = together(db, 12, write)
    assert [type(result) for result in results] == [Changed if n % 3 == 0 else int for n in range(12)]
    assert kept(db) == {f"{word} {n}" for n in range(12) if n % 3 for word in ("note", "second")}


def test_of_equal_rows_one_is_written_and_the_others_are_duplicates(db):
    results = together(db, 12, lambda number: db.write(INSERT, {"text": "the same"}))
    refused = [result for result in results if isinstance(result, Duplicate)]
    assert len(refused) == 11
    assert {str(error) for error in refused} == {"notes.text"}
    assert kept(db) == {"the same"}


def test_each_row_is_told_its_own_id(db):
    results = together(db, 12, lambda number: db.write(INSERT, {"text": f"note {number}"})[0]["id"])
    assert {(f"note {number}", id) for number, id in enumerate(results)} == set(
        sql(db.path, "SELECT text, id FROM notes")
    )


def test_who_waits_longer_for_the_lock_than_the_busy_timeout_is_refused_and_nothing_is_written(db, monkeypatch):
    monkeypatch.setattr(writer, "BUSY_SECONDS", 1.0)
    other = sqlite3.connect(db.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    with pytest.raises(Unavailable):
        db.write(INSERT, {"text": "too late"})
    assert 0.8 < time.monotonic() - started < 4
    other.execute("ROLLBACK")
    other.close()
    db.write(INSERT, {"text": "in time"})
    assert kept(db) == {"in time"}


def test_a_snapshot_sees_one_state_while_others_write(db):
    def read_twice(tx):
        before = tx.one("SELECT COUNT(*) AS n FROM notes")["n"]
        db.write(INSERT, {"text": "meanwhile"})
        return before, tx.one("SELECT COUNT(*) AS n FROM notes")["n"]

    assert db.snapshot(read_twice) == (0, 0)
    assert db.one("SELECT COUNT(*) AS n FROM notes") == {"n": 1}


def test_a_statement_that_is_wrong_is_no_state_of_the_database(db):
    with pytest.raises(sqlite3.OperationalError):
        db.all("SELECT nothing FROM nowhere")


# The write-ahead log


def log_size(db) -> int:
    return os.path.getsize(f"{db.path}-wal")


def fill(db, first, count) -> None:
    for number in range(first, first + count):
        db.write(INSERT, {"text": f"{number} {'x' * 20_000}"})


def test_no_connection_runs_checkpoints_by_itself(db):
    asked = "PRAGMA wal_autocheckpoint"
    assert db.one(asked) == db.transaction(lambda tx: tx.one(asked)) == {"wal_autocheckpoint": 0}


def test_the_log_stays_short_and_nothing_is_lost(db, monkeypatch):
    monkeypatch.setattr(writer, "LOG_BYTES", 100_000)
    for first in range(0, 30, 5):
        fill(db, first, 5)
        assert log_size(db) < 200_000
    assert len(kept(db)) == 30
    assert os.path.getsize(db.path) > 500_000
    assert sql(db.path, "PRAGMA integrity_check") == [("ok",)]


def test_the_log_stays_short_behind_a_symbolic_link_too(tmp_path, monkeypatch):
    (tmp_path / "link.db").symlink_to(tmp_path / "notes.db")
    db = Database(str(tmp_path / "link.db"), SCHEMA)
    monkeypatch.setattr(writer, "LOG_BYTES", 100_000)
    fill(db, 0, 30)
    assert 0 < os.path.getsize(tmp_path / "notes.db-wal") < 200_000


def test_a_reader_that_stays_lets_the_log_grow_until_it_has_gone(db, monkeypatch):
    monkeypatch.setattr(writer, "LOG_BYTES", 100_000)
    fill(db, 0, 1)

    def read(tx):
        assert tx.one("SELECT COUNT(*) AS n FROM notes") == {"n": 1}
        fill(db, 1, 10)
        assert log_size(db) > 400_000
        assert tx.one("SELECT COUNT(*) AS n FROM notes") == {"n": 1}

    db.snapshot(read)
    fill(db, 11, 3)
    assert log_size(db) < 200_000
    assert len(kept(db)) == 14


def test_a_checkpoint_begins_only_while_no_other_may_write(db, monkeypatch):
    """Whoever tries to write at its beginning waits: a commit would begin the log anew beneath it."""
    monkeypatch.setattr(writer, "LOG_BYTES", 0)
    connect, refused = db._file.connect, []

    def connect_and_write(mode):
        if threading.current_thread().name.startswith("database-writer"):
            with closing(sqlite3.connect(db.path, timeout=0)) as other:
                try:
                    other.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError as error:
                    refused.append(str(error))
        return connect(mode)

    fill(db, 0, 1)  # the writer has its connection
    monkeypatch.setattr(db._file, "connect", connect_and_write)
    db.write(INSERT, {"text": "after a checkpoint"})
    assert refused == ["database is locked"]
