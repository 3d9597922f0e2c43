"""Writers that wait for each other are committed together: each is still on its own, and none is told too soon."""

import sqlite3
import threading
from contextlib import suppress

import pytest

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
    with suppress(sqlite3.OperationalError), db.transaction() as tx:  # its commit is theirs, and may fail with them
        tx.execute(INSERT, ("first",))
        waiting.start()
        wait_until(lambda: len(db._waiting) == WRITERS)
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
        with db.transaction() as tx:
            tx.execute(INSERT, (f"note {number}",))
            if number % 3 == 0:
                raise Changed
            if number % 3 == 1:
                tx.execute(INSERT, ("first",))  # is there already

    results = together(db, write)
    assert [type(result) for result in results] == [Changed, sqlite3.IntegrityError, type(None)] * (WRITERS // 3)
    assert kept(db) == {"first", *(f"note {number}" for number in range(2, WRITERS, 3))}


def test_a_disk_that_fills_up_keeps_just_what_was_acknowledged(db):
    db.write(INSERT, ("to open the connection",))
    pages = db._writer.execute("PRAGMA page_count").fetchone()[0]
    db._writer.execute(f"PRAGMA max_page_count = {pages + 10}")

    def write(number):
        db.write(INSERT, (f"{number} " + 8000 * "x",))
        return number

    results = together(db, write)
    acknowledged = {result for result in results if isinstance(result, int)}
    assert len(acknowledged) < WRITERS
    assert {int(text.split()[0]) for text in kept(db) if text.endswith("x")} == acknowledged


def test_what_was_left_to_a_writer_who_gave_up_is_committed_all_the_same(db):
    db._waiting.append(None)  # somebody who never comes
    try:
        db.write(INSERT, ("an orphan",))
    finally:
        db._waiting.pop()
    assert kept(db) == {"an orphan"}
