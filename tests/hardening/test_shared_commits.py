"""Writers that wait for each other are committed together: each is still on its own, and none is told too soon."""

import gc
import os
import shutil
import sqlite3
import threading
import time
import weakref
from contextlib import closing, suppress
from itertools import cycle
from pathlib import Path

import pytest

from mechtech import database as db_module
from mechtech.database import Database, writer
from mechtech.database import file as database_file
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


@pytest.fixture(params=["write", "insert"])
def put(db, request):
    """put(text): a note, by a statement of its own or by one that it may share."""
    return lambda text: getattr(db, request.param)(INSERT, (text,))


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


def test_writers_that_came_together_are_all_there_when_each_is_told(db, put):
    def write(number):
        put(f"note {number}")
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


def test_a_disk_that_fills_up_keeps_just_what_was_acknowledged(db, put):
    db.write(INSERT, ("to open the connection",))
    connection = db._writer._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 10}")

    def write(number):
        put(f"{number} " + 8000 * "x")
        return number

    results = together(db, write)
    acknowledged = {result for result in results if isinstance(result, int)}
    assert len(acknowledged) < WRITERS
    assert {int(text.split()[0]) for text in kept(db) if text.endswith("x")} == acknowledged


def test_a_statement_that_fails_undoes_itself_and_no_other(db, put):
    def write(number):
        put("first" if number % 2 else f"note {number}")

    results = together(db, write)
    assert [type(result) for result in results] == [type(None), sqlite3.IntegrityError] * (WRITERS // 2)
    assert kept(db) == {"first", *(f"note {number}" for number in range(0, WRITERS, 2))}


@pytest.mark.parametrize("refused", [set(), {0}, {5, WRITERS - 1}])
def test_each_row_of_a_statement_that_many_share_is_told_its_own_id(db, refused):
    def insert(number):
        text = "first" if number in refused else f"note {number}"
        return db.insert(INSERT, (text,)), text

    told = [each for each in together(db, insert) if isinstance(each, tuple)]
    assert len(told) == WRITERS - len(refused)
    assert sorted([(1, "first"), *told]) == sql(db.path, "SELECT id, text FROM notes ORDER BY id")


def test_rows_statements_and_transactions_that_came_together_are_all_written(db):
    def write(number):
        text = f"note {number}"
        if number % 3 == 0:
            return db.insert(INSERT, (text,))
        return db.write(INSERT, (text,)) if number % 3 == 1 else db.transaction(lambda tx: tx.execute(INSERT, (text,)))

    together(db, write)
    assert kept(db) == {"first", *(f"note {number}" for number in range(WRITERS))}


def test_of_more_than_go_into_one_commit_all_are_written(db, put, monkeypatch):
    monkeypatch.setattr(writer, "TOGETHER_AT_MOST", 5)
    together(db, lambda number: put(f"note {number}"))
    assert kept(db) == {"first", *(f"note {number}" for number in range(WRITERS))}


def test_who_has_waited_too_long_is_refused_and_not_written(db, put, monkeypatch):
    monkeypatch.setattr(writer, "BUSY_SECONDS", 0.2)
    refused = []

    def attempt(number):
        with pytest.raises(sqlite3.OperationalError) as error:
            put(f"note {number}")
        return error.value.sqlite_errorcode

    def dawdle(tx):
        tx.execute(INSERT, ("slow",))
        refused.extend(at_once(WRITERS, attempt))

    db.transaction(dawdle)
    assert refused == [sqlite3.SQLITE_BUSY] * WRITERS
    db.write(INSERT, ("next",))
    assert kept(db) == {"slow", "next"}


def test_just_what_is_acknowledged_is_kept_while_another_process_locks_the_file_now_and_then(db, put, monkeypatch):
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
                put(f"note {number} {n}")
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


def test_a_write_that_waited_for_the_lock_of_a_file_that_was_replaced_meanwhile_is_in_the_new_one(db, tmp_path):
    db.write(INSERT, ("before",))
    with closing(sqlite3.connect(db.path, isolation_level=None)) as owner:
        owner.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        owner.execute("BEGIN IMMEDIATE")
        shutil.copy(db.path, tmp_path / "restored")
        waiting = threading.Thread(target=db.write, args=(INSERT, ("acknowledged",)))
        waiting.start()
        wait_until(db._writer._at_work.locked)
        time.sleep(0.05)  # it has met the lock
        for suffix in ("-wal", "-shm"):
            (tmp_path / f"notes.db{suffix}").unlink()
        (tmp_path / "restored").rename(db.path)
        time.sleep(0.05)
        owner.execute("ROLLBACK")
        waiting.join()
    assert kept(db) == {"before", "acknowledged"}


def test_a_file_that_is_replaced_just_before_it_is_opened_is_not_taken_for_ours(tmp_path, monkeypatch):
    """SQLite would go on with it, and with our write-ahead log beside it, when ours is long back."""
    path = tmp_path / "notes.db"
    db = Database(str(path), SCHEMA)
    db.write(INSERT, ("before",))
    connect = sqlite3.connect

    def connect_late(*args, **kwargs):
        path.rename(tmp_path / "aside")
        path.write_bytes(os.urandom(100_000))
        return connect(*args, **kwargs)

    with monkeypatch.context() as late, pytest.raises(sqlite3.OperationalError, match="replaced"):
        late.setattr(sqlite3, "connect", connect_late)
        db.all("SELECT text FROM notes")
    (tmp_path / "aside").rename(path)
    db.write(INSERT, ("after",))
    assert {row["text"] for row in db.all("SELECT text FROM notes")} == kept(db) == {"before", "after"}


def test_a_damage_that_is_mended_within_the_grain_of_the_clock_is_forgotten(db):
    """The file looks as it did before: only the error tells that what was read of it is not to be trusted."""
    for number in range(40):
        db.write(INSERT, (f"{number} " + 1000 * "x",))
    sql(db.path, "PRAGMA wal_checkpoint(TRUNCATE)")
    stat, content = os.stat(db.path), Path(db.path).read_bytes()

    def put(data):
        with open(db.path, "r+b") as file:
            file.write(data)
        os.utime(db.path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))

    put(content[:4096] + os.urandom(len(content) - 4096))
    for act in (lambda: db.all("SELECT text FROM notes"), lambda: db.write(INSERT, ("never",))):
        with pytest.raises(sqlite3.DatabaseError):
            act()
    put(content)
    assert len(db.all("SELECT text FROM notes")) == 40
    db.write(INSERT, ("well",))
    assert len(kept(db)) == 41


def test_a_row_that_cannot_be_read_back_is_undone_with_those_beside_it(db):
    """No more is promised than that nobody is told a lie, and that the next ones are well."""
    bad = "INSERT INTO notes (text) VALUES (CAST(x'fffe' AS TEXT)) RETURNING text"

    def write(number):
        db.write(bad if number == 3 else INSERT, () if number == 3 else (f"note {number}",))
        return f"note {number}"

    told = {each for each in together(db, write) if isinstance(each, str)}
    assert kept(db) - {"first"} == told
    db.write(INSERT, ("next",))
    assert "next" in kept(db)


def test_a_row_is_not_told_while_a_transaction_is_open_that_should_not_be(db, put):
    put("before")
    db._writer._connection.execute("BEGIN")
    with pytest.raises(sqlite3.OperationalError):
        put("lost")
    put("after")
    assert kept(db) == {"before", "after"}


def test_a_refusal_leaves_nothing_for_the_collector(db):
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(Changed) as refusal:
            db.transaction(refuse)
        gone = weakref.ref(refusal.value)
        del refusal
        assert gone() is None
    finally:
        gc.enable()


def refuse(tx):
    raise Changed


def test_reads_that_wait_for_a_file_that_is_not_made_yet_are_refused_in_time(tmp_path, monkeypatch):
    """Each would hold a reader for as long as the lock is waited for, one after the other."""
    for module in (db_module, database_file, writer):
        monkeypatch.setattr(module, "BUSY_SECONDS", 0.3)
    path = tmp_path / "notes.db"
    Database(str(path), SCHEMA).make()
    with closing(sqlite3.connect(path, isolation_level=None)) as owner:
        owner.execute("BEGIN IMMEDIATE")
        db = Database(str(path), SCHEMA)

        def read(number):
            started = time.monotonic()
            with pytest.raises(sqlite3.OperationalError) as error:
                db.all("SELECT 1")
            return error.value.sqlite_errorcode & 0xFF, time.monotonic() - started < 1.5

        assert at_once(WRITERS, read) == [(sqlite3.SQLITE_BUSY, True)] * WRITERS
        owner.execute("ROLLBACK")
    assert db.all("SELECT 1 AS one") == [{"one": 1}]
