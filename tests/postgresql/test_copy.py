"""copy-to: a SQLite database arrives whole in an empty PostgreSQL one, and goes on there."""

import re
import sqlite3
from contextlib import closing

import pytest

from tests.conftest import Api, book, complete, hire, make_admin, signup, started
from tests.postgresql_server import execute

TABLES = """
    SELECT name
    FROM sqlite_schema
    WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'schema_migrations'"""


@pytest.fixture
def source(environ):
    """The settings of a SQLite service with a row in every table."""
    environ = {name: value for name, value in environ.items() if name != "DATABASE_URL"}
    app = started(environ)
    client = Api(app.test_client())
    admin, customer = make_admin(app, client, "admin@example.com"), signup(client, "customer@example.com")
    made = book(client, customer, name="Jürgen Groß", latitude=0.1 + 0.2, longitude=-179.9999999999)
    complete(client, admin, made["bookingId"], hire(client, admin), cost=85.55)
    contact = {"fullName": "Ann", "email": "ann@example.com", "message": "A message\nof two lines.\\"}
    client.post("/api/contact/", contact, headers={"Idempotency-Key": "key"})
    client.delete(f"/api/contact/{client.post('/api/contact/', contact).json['id']}", token=admin)
    return app, client, admin


def copy(app, url):
    return app.test_cli_runner().invoke(args=["copy-to", url])


def test_what_was_copied_answers_as_before_and_ids_go_on(environ, source):
    app, client, admin = source
    result = copy(app, environ["DATABASE_URL"])
    assert result.exit_code == 0, result.output
    moved = Api(started(environ).test_client())
    for path in ("/api/booking/1", "/api/booking/", "/api/contact/1", "/api/mechanics/1", "/api/auth/profile"):
        assert moved.get(path, token=admin).json == client.get(path, token=admin).json
    login = {"email": "customer@example.com", "password": "password123"}
    assert moved.post("/api/auth/login", login).status_code == 200
    contact = {"fullName": "Ann", "email": "ann@example.com", "message": "Another message."}
    assert book(moved)["bookingId"] == 2
    assert moved.post("/api/contact/", contact).json["id"] == 3  # the second was deleted


def test_every_row_of_every_table_arrives_as_it_was(environ, source):
    app, *_ = source
    result = copy(app, environ["DATABASE_URL"])
    assert result.exit_code == 0, result.output
    path = app.config["settings"].db_path
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute(TABLES)]
        assert len(tables) == 8
        for table in tables:
            names = [f'"{column[1]}"' for column in connection.execute(f"PRAGMA table_info({table})")]
            statement = f"SELECT {', '.join(names)} FROM {table} ORDER BY 1, 2, 3"
            rows = connection.execute(statement).fetchall()
            assert rows, f"{table} has no row to copy"
            assert sorted(execute(environ["DATABASE_URL"], statement)) == sorted(rows)
            assert re.search(rf"^{table} +{len(rows)}  [0-9a-f]{{16}}$", result.stdout, re.MULTILINE)
            assert f"{table}: {len(rows)} rows" in result.stderr  # the progress


def test_rows_that_do_not_arrive_as_they_were_are_noticed_and_nothing_is_copied(environ, source):
    app, *_ = source
    started(environ)
    url = environ["DATABASE_URL"]
    body = "BEGIN NEW.message := upper(NEW.message); RETURN NEW; END"
    execute(url, f"CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
    execute(url, "CREATE TRIGGER shout BEFORE INSERT ON contact_messages FOR EACH ROW EXECUTE FUNCTION shout()")
    result = copy(app, url)
    assert result.exit_code == 1
    assert "contact_messages did not arrive" in result.output
    assert execute(url, "SELECT COUNT(*) FROM users") == [(0,)]


def test_a_text_that_postgresql_cannot_hold_is_named_and_nothing_is_copied(environ, source):
    """A NUL character, which SQLite takes, and which the original's database may have brought along."""
    app, *_ = source
    with closing(sqlite3.connect(app.config["settings"].db_path)) as connection, connection:
        connection.execute("UPDATE bookings SET description = 'a' || char(0) || 'b' WHERE id = 1")
    result = copy(app, environ["DATABASE_URL"])
    assert result.exit_code == 1
    (line,) = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert "bookings" in line and "row 1" in line and "NUL" in line
    assert execute(environ["DATABASE_URL"], "SELECT COUNT(*) FROM users") == [(0,)]


def test_a_target_that_is_not_empty_is_refused(environ, source):
    app, *_ = source
    signup(Api(started(environ).test_client()), "there@example.com")
    result = copy(app, environ["DATABASE_URL"])
    assert result.exit_code == 1
    assert "not empty" in result.output
    assert execute(environ["DATABASE_URL"], "SELECT email FROM users") == [("there@example.com",)]
    assert execute(environ["DATABASE_URL"], "SELECT 1 FROM bookings") == []


def test_a_url_that_is_none_is_refused(source):
    app, *_ = source
    result = copy(app, "nonsense")
    assert (result.exit_code, result.exception.__class__) == (1, SystemExit)
