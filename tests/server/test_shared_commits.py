"""Group commit: writes that wait together share a commit, yet each is still on its own, and none is told too soon."""

import sqlite3
import threading
import time

import pytest

from mechtech.database import Duplicate
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
    assert {error.constraint for error in refused} == {"notes.text"}
    assert kept(db) == {"the same"}


def test_each_row_is_told_its_own_id(db):
    results = together(db, 12, lambda number: db.write(INSERT, {"text": f"note {number}"})[0]["id"])
    assert {(f"note {number}", id) for number, id in enumerate(results)} == set(
        sql(db.path, "SELECT text, id FROM notes")
    )


def test_who_waits_longer_for_the_lock_than_the_busy_timeout_is_refused_and_nothing_is_written(db):
    other = sqlite3.connect(db.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    with pytest.raises(Unavailable):
        db.write(INSERT, {"text": "too late"})
    assert 4 < time.monotonic() - started < 8
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
