"""Writers that wait for each other are committed together: each is still on its own, and none is told too soon."""

import sqlite3
import threading
import time
from contextlib import closing, suppress
from itertools import cycle

import pytest

from mechtech import writer
from mechtech.db import Database
from tests.hardening.tools import at_once, sql, wait_until

SCHEMA = "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;"
INSERT = "INSERT INTO notes (text) VALUES (?)"
WRITERS = 12


class Changed(Exception):
    """Somebody thought better of it."""


@pytest.fixture
def db(tmp_path):
    database = Database(str(tmp_path / "notes.db"), SCHEMA)
    database.make()
    return database


def kept(db) -> set:
    """What another process finds in the file."""
    return {text for (text,) in sql(db.path, "SELECT text FROM notes")}


def together(db, write) -> list:
    """What write(number) returns or raises, of writers that all came while a first one was at work."""

    def attempt(number):
        try:
            return write(number)
        except (Changed, sqlite3.Error) as error:
            return error

    results = []
    waiting = threading.Thread(target=lambda: results.extend(at_once(WRITERS, attempt)))

    def begin(tx):
        tx.execute(INSERT, ("first",))
        waiting.start()
        wait_until(lambda: len(db._writer._waiting) == WRITERS)

    with suppress(sqlite3.OperationalError):  # its commit is theirs, and may fail with them
        db.transaction(begin)
    waiting.join()
    return results


def test_writers_that_came_together_are_all_there_when_each_is_told(db):
    def write(number):
        db.write(INSERT, (f"note {number}",))
        return f"note {number}" in kept(db)

    assert together(db, write) == [True] * WRITERS
    assert kept(db) == {"first", *(f"note {number}" for number in range(WRITERS))}


def test_a_transaction_that_fails_undoes_itself_and_no_other(db):
    def write(number):
        def two_steps(tx):
            tx.execute(INSERT, (f"note {number}",))
            if number % 3 == 0:
                raise Changed
            if number % 3 == 1:
                tx.execute(INSERT, ("first",))  # is there already

        db.transaction(two_steps)

    results = together(db, write)
    assert [type(result) for result in results] == [Changed, sqlite3.IntegrityError, type(None)] * (WRITERS // 3)
    assert kept(db) == {"first", *(f"note {number}" for number in range(2, WRITERS, 3))}


def test_a_disk_that_fills_up_keeps_just_what_was_acknowledged(db):
    db.write(INSERT, ("to open the connection",))
    connection = db._writer._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 10}")

    def write(number):
        db.write(INSERT, (f"{number} " + 8000 * "x",))
        return number

    results = together(db, write)
    acknowledged = {result for result in results if isinstance(result, int)}
    assert len(acknowledged) < WRITERS
    assert {int(text.split()[0]) for text in kept(db) if text.endswith("x")} == acknowledged


def test_a_statement_that_fails_undoes_itself_and_no_other(db):
    def write(number):
        db.write(INSERT, ("first" if number % 2 else f"note {number}",))

    results = together(db, write)
    assert [type(result) for result in results] == [type(None), sqlite3.IntegrityError] * (WRITERS // 2)
    assert kept(db) == {"first", *(f"note {number}" for number in range(0, WRITERS, 2))}


def test_of_more_than_go_into_one_commit_all_are_written(db, monkeypatch):
    monkeypatch.setattr(writer, "TOGETHER_AT_MOST", 5)
    assert together(db, lambda number: db.write(INSERT, (f"note {number}",))) == [[]] * WRITERS
    assert len(kept(db)) == 1 + WRITERS


def test_who_has_waited_too_long_is_refused_and_not_written(db, monkeypatch):
    monkeypatch.setattr(writer, "BUSY_SECONDS", 0.2)
    refused = []

    def attempt(number):
        with pytest.raises(sqlite3.OperationalError) as error:
            db.write(INSERT, (f"note {number}",))
        return error.value.sqlite_errorcode

    def dawdle(tx):
        tx.execute(INSERT, ("slow",))
        refused.extend(at_once(WRITERS, attempt))

    db.transaction(dawdle)
    assert refused == [sqlite3.SQLITE_BUSY] * WRITERS
    db.write(INSERT, ("next",))
    assert kept(db) == {"slow", "next"}


def test_just_what_is_acknowledged_is_kept_while_another_process_locks_the_file_now_and_then(db, monkeypatch):
    """Some locks are shorter than the patience, and some longer."""
    monkeypatch.setattr(writer, "BUSY_SECONDS", 0.03)
    db.write(INSERT, ("to open the connection",))
    stop = threading.Event()

    def lock():
        with closing(sqlite3.connect(db.path, isolation_level=None, timeout=0)) as other:
            for seconds in cycle((0.005, 0.1)):
                if stop.wait(0.005):
                    return
                with suppress(sqlite3.OperationalError):
                    other.execute("BEGIN IMMEDIATE")
                    stop.wait(seconds)
                    other.execute("ROLLBACK")

    def write(number):
        told = {}
        for n in range(60):
            try:
                db.write(INSERT, (f"note {number} {n}",))
                told[f"note {number} {n}"] = True
            except sqlite3.OperationalError as error:
                assert error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                told[f"note {number} {n}"] = False
            time.sleep(0.002)
        return told

    locking = threading.Thread(target=lock)
    locking.start()
    told = {text: ok for each in at_once(WRITERS, write) for text, ok in each.items()}
    stop.set()
    locking.join()
    assert len(told) == WRITERS * 60
    assert {True, False} == set(told.values()), "the locks were never, or always, waited for"
    assert kept(db) == {"to open the connection", *(text for text, ok in told.items() if ok)}
