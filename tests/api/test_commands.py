import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time

import bcrypt
import pytest

from mechtech import create_app
from mechtech.settings import from_environment
from tests.answers import refused, sql
from tests.commands import failed, flask, succeeded
from tests.conftest import Api, signup
from tests.forks import ROOT, surroundings
from tests.postgresql_server import database_of
from tests.tools import check_database

pytestmark = pytest.mark.own_database

FLASK = [sys.executable, "-m", "flask", "--app", "wsgi"]
SECONDS = 30  # until a command that hangs has failed
TABLES = {"users", "bookings", "contact_messages", "mechanics", "service_history"}


def login(client, email, password):
    return client.post("/api/auth/login", {"email": email, "password": password})


def users(environ):
    return sql(environ["DB_PATH"], "SELECT id, email, name, role FROM users ORDER BY id")


# init-db


@pytest.mark.sqlite
def test_init_db_makes_the_tables_and_leaves_the_data(environ):
    assert environ["DB_PATH"] in succeeded(flask(environ, "init-db"))
    tables = {name for (name,) in sql(environ["DB_PATH"], "SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert tables >= TABLES
    sql(environ["DB_PATH"], "INSERT INTO users (email, name, password) VALUES ('ann@example.com', 'Ann', 'x')")
    schema = sql(environ["DB_PATH"], "SELECT * FROM sqlite_schema")
    succeeded(flask(environ, "init-db"))
    assert sql(environ["DB_PATH"], "SELECT * FROM sqlite_schema") == schema
    assert users(environ) == [(1, "ann@example.com", "Ann", "customer")]


# seed


def everything(environ):
    return {table: sql(environ["DB_PATH"], f"SELECT * FROM {table}") for table in (*TABLES, "booking_history")}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The settings of a database with the sample data; for reading only."""
    path = str(tmp_path_factory.mktemp("sample") / "sample.db")
    environ = {"DB_PATH": path, "JWT_SECRET": "s" * 32, **database_of(path)}
    assert "added" in succeeded(flask(environ, "seed"))
    return environ


def test_seeding_twice_changes_nothing(sample):
    once = everything(sample)
    assert "Nothing" in succeeded(flask(sample, "seed"))
    assert "Nothing" in succeeded(flask(sample, "seed", "--if-new"))
    assert everything(sample) == once


@pytest.mark.parametrize(
    "email, role",
    [
        ("john@mechtech.example", "customer"),
        ("jane@mechtech.example", "customer"),
        ("admin@mechtech.example", "admin"),
    ],
)
def test_the_sample_accounts_sign_in(sample, email, role):
    client = Api(create_app(from_environment(sample)).test_client())
    answer = login(client, email, "password123")
    assert answer.status_code == 200
    assert answer.json["user"]["role"] == role


def test_the_sample_data_shows_something_of_everything(sample):
    client = Api(create_app(from_environment(sample)).test_client())
    admin = login(client, "admin@mechtech.example", "password123").json["token"]
    bookings = client.get("/api/booking/?limit=200", token=admin).json["bookings"]
    statuses = {"pending", "confirmed", "in-progress", "completed", "cancelled"}
    assert {booking["status"] for booking in bookings} == statuses
    messages = client.get("/api/contact/", token=admin).json["messages"]
    assert {message["status"] for message in messages} == {"read", "unread"}
    verified = client.get("/api/mechanics/").json["mechanics"]
    assert sql(sample["DB_PATH"], "SELECT COUNT(*) FROM mechanics WHERE verified = 0") == [(1,)]
    assert len(verified) + 1 >= 12
    assert all(mechanic["latitude"] is not None for mechanic in verified)
    views = [client.get(f"/api/mechanics/{mechanic['id']}").json for mechanic in verified]
    assert any(service["review"] for view in views for service in view["recentServices"])
    john = login(client, "john@mechtech.example", "password123").json["token"]
    assert client.get("/api/booking/", token=john).json["total"] > 0
    for booking in bookings:
        history = client.get(f"/api/booking/{booking['id']}", token=admin).json["booking"]["history"]
        assert (history[0]["status"], history[-1]["status"]) == ("pending", booking["status"])


def test_the_sample_data_keeps_the_rules(sample):
    """What the service itself would have seen to: references, ratings, services, capacity."""
    path = sample["DB_PATH"]
    check_database(path)
    completed = "SELECT id FROM bookings WHERE status = 'completed' ORDER BY id"
    assert sql(path, completed) == sql(path, "SELECT booking_id FROM service_history ORDER BY booking_id")
    of_others = """SELECT * FROM service_history s JOIN bookings b ON b.id = s.booking_id
                   WHERE COALESCE(s.mechanic_id, 0) <> COALESCE(b.mechanic_id, 0)
                       OR COALESCE(s.user_id, 0) <> COALESCE(b.user_id, 0)"""
    assert sql(path, of_others) == []
    busiest = "SELECT COUNT(*) FROM bookings WHERE status IN ('confirmed', 'in-progress') GROUP BY mechanic_id"
    assert max(count for (count,) in sql(path, busiest)) <= 5
    rated = """SELECT m.rating, SUM(s.rating), COUNT(*) FROM mechanics m JOIN service_history s ON s.mechanic_id = m.id
               WHERE s.rating IS NOT NULL GROUP BY m.id"""
    for rating, total, count in sql(path, rated):
        assert abs(rating - total / count) <= 0.05 + 1e-9


def test_seed_if_new_adds_nothing_to_a_database_in_use(environ, client):
    signup(client, "ann@example.com")
    assert "Nothing" in succeeded(flask(environ, "seed", "--if-new"))
    assert len(users(environ)) == 1
    assert "added" in succeeded(flask(environ, "seed"))
    assert len(users(environ)) > 1


def test_seed_refuses_in_production(environ):
    assert "production" in failed(flask({**environ, "MECHTECH_ENV": "production"}, "seed"))
    assert failed(flask({**environ, "MECHTECH_ENV": "production"}, "seed", "--if-new"))
    succeeded(flask(environ, "init-db"))
    assert everything(environ) == {table: [] for table in (*TABLES, "booking_history")}


# create-admin


def test_create_admin_makes_a_new_user(environ, client):
    """The password is a line of standard input where that is no terminal; not trimmed."""
    said = succeeded(flask(environ, "create-admin", "boss@example.com", "--name", "The Boss", typed=" pass word \nx\n"))
    assert "boss@example.com" in said and "new" in said
    assert "pass word" not in said
    answer = login(client, "boss@example.com", " pass word ")
    assert (answer.json["user"]["name"], answer.json["user"]["role"]) == ("The Boss", "admin")
    assert client.get("/api/contact/", token=answer.json["token"]).status_code == 200


@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
def test_create_admin_has_a_name_by_default(environ, client, ending):
    succeeded(flask(environ, "create-admin", "boss@example.com", typed=f"password123{ending}"))
    assert login(client, "boss@example.com", "password123").json["user"]["name"] == "Administrator"


def test_create_admin_on_an_address_that_somebody_signed_up_with_does_nothing(environ, client):
    token = signup(client, "ann@example.com", name="Ann Driver")
    line = failed(flask(environ, "create-admin", "ann@example.com", typed="other password\n"))
    assert "Ann Driver" in line and "--existing" in line
    refused(client.get("/api/contact/", token=token), 403, "forbidden")
    assert login(client, "ann@example.com", "password123").status_code == 200
    assert failed(flask(environ, "create-admin", "--existing", "nobody@example.com", typed="other password\n"))


def test_create_admin_makes_an_existing_account_the_admin_with_a_new_password(environ, client):
    """Found in any case; its name and date are shown, and its tokens end."""
    token = signup(client, "ann@example.com", name="Ann Driver")
    refused(client.get("/api/contact/", token=token), 403, "forbidden")
    said = succeeded(flask(environ, "create-admin", "ANN@example.com", "--existing", typed="other password\n"))
    assert "ann@example.com" in said and "Ann Driver" in said and "made 20" in said
    assert users(environ) == [(1, "ann@example.com", "Ann Driver", "admin")]
    refused(client.get("/api/contact/", token=token), 401, "unauthorized")
    assert login(client, "ann@example.com", "password123").status_code == 401
    token = login(client, "ann@example.com", "other password").json["token"]
    assert client.get("/api/contact/", token=token).status_code == 200


@pytest.mark.parametrize(
    "args, typed, told",
    [
        (["boss@example.com"], "7letter\n", "password"),
        (["boss@example.com"], "p" * 73 + "\n", "password"),
        (["boss@example.com"], "", "password"),
        (["boss"], "password123\n", "email"),
        (["boss@example.com", "--name", "B" * 101], "password123\n", "name"),
    ],
)
def test_create_admin_keeps_the_rules_of_signing_up(environ, args, typed, told):
    line = failed(flask(environ, "create-admin", *args, typed=typed))
    assert told in line
    assert not typed or typed.strip() not in line
    assert users(environ) == []


# At a terminal


class Terminal:
    """The command with a terminal of its own, which echoes unless it is told not to."""

    def __init__(self, environ, *args):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [*FLASK, *args],
            cwd=ROOT,
            env=surroundings(environ),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # for /dev/tty
        )
        os.close(slave)
        self.screen = ""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def wait_for(self, text):
        """Read until there is something new with `text` in it."""
        start, deadline = len(self.screen), time.monotonic() + SECONDS
        while text not in self.screen[start:]:
            assert self._read(deadline - time.monotonic()), f"no {text!r} on the screen:\n{self.screen}"

    def type(self, line):
        os.write(self.master, f"{line}\n".encode())

    def finish(self) -> int:
        """The exit code, with all of the screen read."""
        deadline = time.monotonic() + SECONDS
        while self._read(deadline - time.monotonic()):
            pass
        return self.process.wait(SECONDS)

    def _read(self, seconds):
        readable, _, _ = select.select([self.master], [], [], max(0, seconds))
        try:
            read = os.read(self.master, 4096).decode() if readable else ""
        except OSError:  # the other side is closed
            read = ""
        self.screen += read
        return read


def test_at_a_terminal_the_password_is_asked_twice_without_echo(environ, client):
    with Terminal(environ, "create-admin", "boss@example.com") as terminal:
        for first, second in [("password123", "password124"), ("password456", "password456")]:
            terminal.wait_for("Password: ")
            terminal.type(first)
            terminal.wait_for("confirmation: ")
            terminal.type(second)
        assert terminal.finish() == 0, terminal.screen
    assert "boss@example.com is a new admin" in terminal.screen
    assert "password1" not in terminal.screen and "password4" not in terminal.screen
    assert login(client, "boss@example.com", "password456").status_code == 200


def test_reset_password_asks_twice_without_echo_too(environ, client):
    signup(client, "ann@example.com")
    with Terminal(environ, "reset-password", "ann@example.com") as terminal:
        for prompt in ("Password: ", "confirmation: "):
            terminal.wait_for(prompt)
            terminal.type("password456")
        assert terminal.finish() == 0, terminal.screen
    assert "password456" not in terminal.screen
    assert login(client, "ann@example.com", "password456").status_code == 200


# reset-password


def test_reset_password_gives_a_new_password_and_ends_the_tokens(environ, client):
    token, other = signup(client, "ann@example.com"), signup(client, "bob@example.com")
    said = succeeded(flask(environ, "reset-password", "Ann@Example.com", typed="password456\n"))
    assert "ann@example.com" in said
    assert "password456" not in said
    refused(client.get("/api/auth/profile", token=token), 401, "unauthorized")
    assert client.get("/api/auth/profile", token=other).status_code == 200
    refused(login(client, "ann@example.com", "password123"), 401, "invalid_credentials")
    token = login(client, "ann@example.com", "password456").json["token"]
    assert client.get("/api/auth/profile", token=token).json["user"]["role"] == "customer"


def test_reset_password_looks_at_the_password_only(environ, client):
    """A user of the original may have a name that nobody could sign up with today."""
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4, b"2a")).decode()
    sql(environ["DB_PATH"], "INSERT INTO users (email, name, password) VALUES ('a@example.com', 'A', ?)", (hashed,))
    succeeded(flask(environ, "reset-password", "a@example.com", typed="password456\n"))
    assert login(client, "a@example.com", "password456").status_code == 200


@pytest.mark.parametrize("typed", ["7letter\n", "p" * 73 + "\n", "\n", ""])
def test_reset_password_refuses_what_signing_up_would(environ, client, typed):
    token = signup(client, "ann@example.com")
    assert "assword" in failed(flask(environ, "reset-password", "ann@example.com", typed=typed))
    assert client.get("/api/auth/profile", token=token).status_code == 200
    assert login(client, "ann@example.com", "password123").status_code == 200


def test_reset_password_of_nobody_fails(environ):
    assert "nobody@example.com" in failed(flask(environ, "reset-password", "nobody@example.com", typed="password456\n"))
    assert users(environ) == []


# Settings


@pytest.mark.parametrize("args", [["init-db"], ["seed", "--if-new"]])
def test_a_wrong_setting_stops_a_command_with_one_line(environ, args):
    assert "PORT" in failed(flask({**environ, "PORT": "many"}, *args))


def test_a_command_that_is_not_there_fails(environ):
    result = flask(environ, "make-coffee")
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
