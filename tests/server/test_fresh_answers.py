"""What was committed is what the next read shows, whoever committed it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mechtech.database.sqlite import READERS, Database
from tests.gunicorn_server import call
from tests.tools import running, sql

pytestmark = pytest.mark.sqlite  # its statements are SQLite's own

SCHEMA = "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;"
TEXT = "SELECT text FROM notes WHERE id = ?"
ROUNDS = 100
CLIENTS = 8


@pytest.fixture
def db(tmp_path):
    database = Database(str(tmp_path / "notes.db"), SCHEMA)
    database.write("INSERT INTO notes VALUES (1, 'old'), (2, 'another')")
    return database


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("fresh")) as server:
        yield server


@pytest.fixture(scope="module")
def signed_up(server):
    account = {"name": "Name 0", "email": "fresh@example.com", "password": "password123"}
    return server.call("POST", "/api/auth/signup", account).json


def test_a_row_that_another_process_changes_is_read_anew_at_once(db):
    for number in range(ROUNDS):
        db.one(TEXT, (1,))
        sql(db.path, "UPDATE notes SET text = ? WHERE id = 1", (f"text {number}",))
        assert db.one(TEXT, (1,)) == {"text": f"text {number}"}


def test_a_row_that_this_process_changes_is_read_anew_at_once(db):
    for number in range(ROUNDS):
        db.one(TEXT, (1,))
        db.write("UPDATE notes SET text = ? WHERE id = 1", (f"text {number}",))
        assert db.one(TEXT, (1,)) == {"text": f"text {number}"}


def test_a_row_that_comes_and_goes_is_there_and_gone(db):
    assert db.one(TEXT, (3,)) is None
    db.write("INSERT INTO notes VALUES (3, 'new')")
    assert db.one(TEXT, (3,)) == {"text": "new"}
    db.write("DELETE FROM notes WHERE id = 3")
    assert db.one(TEXT, (3,)) is None


def test_what_is_undone_is_never_shown(db):
    def change_and_fail(tx):
        tx.write("UPDATE notes SET text = 'never' WHERE id = 1")
        assert db.one(TEXT, (1,)) == {"text": "old"}
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        db.transaction(change_and_fail)
    assert db.one(TEXT, (1,)) == {"text": "old"}


def test_readers_never_go_back_in_time_while_somebody_writes(db):
    """A text that was replaced before the read began is not an answer any more."""
    written = 0
    stop = threading.Event()
    db.write("UPDATE notes SET text = '0' WHERE id = 1")

    def read():
        while not stop.is_set():
            before = written
            assert int(db.one(TEXT, (1,))["text"]) >= before

    with ThreadPoolExecutor(READERS) as pool:  # no more: they never pause, and one more may wait for long
        readers = [pool.submit(read) for _ in range(READERS)]
        for number in range(1, ROUNDS + 1):
            db.write("UPDATE notes SET text = ? WHERE id = 1", (str(number),))
            written = number
        stop.set()
        for reader in readers:
            reader.result()


def test_whatever_worker_answers_a_saved_profile_is_what_it_shows(server, signed_up):
    connections = [server.connect() for _ in range(CLIENTS)]
    for number in range(ROUNDS // 4):
        call(connections[number % CLIENTS], "PUT", "/api/auth/profile", {"name": f"Name {number}"}, signed_up["token"])
        for connection in connections:
            shown = call(connection, "GET", "/api/auth/profile", token=signed_up["token"]).json["user"]["name"]
            assert shown == f"Name {number}"


def test_what_the_owner_changes_with_a_tool_shows_in_the_list_at_once(server):
    path = server.environ["DB_PATH"]
    sql(
        path,
        """
        INSERT INTO mechanics (name, email, phone, verified)
        VALUES ('Name', 'fresh@garage.example', '+1 555 0100', 1)
        """,
    )
    connections = [server.connect() for _ in range(CLIENTS)]
    for number in range(ROUNDS // 4):
        sql(path, "UPDATE mechanics SET name = ?", (f"Name {number}",))
        for connection in connections:
            found = call(connection, "GET", "/api/mechanics").json["mechanics"]
            assert [mechanic["name"] for mechanic in found] == [f"Name {number}"]
