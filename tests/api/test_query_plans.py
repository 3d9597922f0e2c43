"""Every statement that the service runs finds its rows by an index: a table that grows is never read through or sorted.

The endpoints are driven with everything they can be asked, and SQLite tells how it goes about each statement.
"""

import importlib
import inspect
import re
import sqlite3
import sys
import threading
from contextlib import contextmanager

import bcrypt
import pytest

from mechtech.accounts import repository as accounts
from mechtech.web import tokens
from tests.conftest import BOOKING, CONTACT, MECHANIC, book, complete, hire, lasting_client, make_admin, signup
from tests.gunicorn_server import ROOT

pytestmark = pytest.mark.sqlite  # its statements are SQLite's own

# What may be read from end to end: the mechanics by an index, what a subquery has already bounded, the rows to insert.
HARMLESS = re.compile(
    r"SCAN (sqlite_schema|counted|mechanics USING (COVERING )?INDEX \w+|\(?subquery-\d+\)?|\d+ CONSTANT ROWS?"
    r"|CONSTANT ROW|booking|degrees|ranges|(bookings|contact_messages) USING (COVERING )?INDEX \w+_time)"
)
READING = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH)\b", re.IGNORECASE)


@contextmanager
def plans_recorded():
    """A dict of each statement that any connection runs meanwhile, to the steps of its plan."""
    plans = {}
    connect = sqlite3.connect

    def recording(*args, factory=sqlite3.Connection, **kwargs):
        class Recording(factory):
            def execute(self, sql, params=()):
                if READING.match(sql) and sql not in plans and "schema_migrations" not in sql:
                    plans[sql] = explain(self, sql, params)
                return super().execute(sql, params)

        return connect(*args, factory=Recording, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", recording)
        yield plans


def explain(connection, sql, params=()):
    """The steps of the plan.

    An INSERT is asked about without foreign keys: the plan shows a scan of every table that refers to the new row,
    but it only happens while a deferred constraint is broken, and none is deferred. The last test here counts.
    """
    file = connection
    if sql.lstrip().upper().startswith("INSERT"):
        file = sqlite3.connect(connection.execute("PRAGMA database_list").fetchone()[2], factory=sqlite3.Connection)
    steps = sqlite3.Connection.execute(file, f"EXPLAIN QUERY PLAN {sql}", params).fetchall()
    if file is not connection:
        file.close()
    return [detail for *_, detail in steps]


@contextmanager
def calls_recorded():
    """A set of the code objects that this thread, and those that it starts, run meanwhile."""
    codes = set()

    def record(frame, event, arg):
        if event == "call":
            codes.add(frame.f_code)

    sys.setprofile(record)
    threading.setprofile(record)
    try:
        yield codes
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def drive(client):
    """Ask every endpoint for everything that makes a difference to the statements."""
    commands = client.client.application.test_cli_runner()
    john = signup(client, "john@example.com")
    admin = make_admin(client.client.application, client, "admin@example.com")
    options = {"args": ["create-admin", "--existing", "admin@example.com"], "input": "password123\n"}
    assert commands.invoke(**options).exit_code == 0
    admin = client.post("/api/auth/login", {"email": "admin@example.com", "password": "password123"}).json["token"]
    assert commands.invoke(args=["reset-password", "admin@example.com"], input="password456\n").exit_code == 0
    login = {"email": "admin@example.com", "password": "password456"}
    admin = client.post("/api/auth/login", login).json["token"]
    client.post("/api/auth/login", {**login, "password": "wrong"})
    client.post("/api/auth/signup", {**login, "name": "Taken"})
    client.put("/api/auth/profile", {"phone": "12345"}, token=john)
    change = {"currentPassword": "password123", "newPassword": "password456"}
    john = client.put("/api/auth/profile", change, token=john).json["token"]
    client.get("/api/auth/profile", token=john)
    client.get("/health")

    places = [{"latitude": 40.7, "longitude": -74.0}, {}, {}]
    mechanics = [hire(client, admin, f"{n}@garage.example", **place) for n, place in enumerate(places)]
    client.put("/api/mechanics/1", {"specializations": "Towing"}, token=admin)
    client.post("/api/mechanics/", {**MECHANIC, "email": "0@garage.example"}, token=admin)
    for _ in range(2):
        client.post("/api/booking/", BOOKING, token=john, headers={"Idempotency-Key": "a"})
        client.post("/api/contact/", CONTACT, headers={"Idempotency-Key": "a"})
    for _ in range(3):
        book(client, john)
        client.post("/api/contact/", CONTACT)
    guest = book(client)
    complete(client, admin, 1, mechanics[0], cost=5)
    client.post("/api/booking/1/review", {"rating": 4}, token=john)
    client.post("/api/auth/forgot", {"email": "john@example.com"})
    client.post("/api/auth/forgot", {"email": "nobody@example.com"})
    client.post("/api/booking/1/link", {"email": BOOKING["email"]})
    client.post("/api/auth/logout", token=signup(client, "leaves@example.com"))
    with client.client.application.app_context():
        account = accounts.find_by_address("leaves@example.com")
        link = tokens.for_reset(account["id"], accounts.reset_key(account))
    assert client.post("/api/auth/reset", {"token": link, "newPassword": "password123"}).status_code == 200
    costly = {"password": bcrypt.hashpw(b"password123", bcrypt.gensalt(5)).decode()}
    sql = "UPDATE users SET password = :password WHERE email = 'leaves@example.com'"
    client.client.application.extensions["mechtech.db"].write(sql, costly)
    client.post("/api/auth/login", {"email": "leaves@example.com", "password": "password123"})
    complete(client, admin, guest["bookingId"])
    client.post(f"/api/booking/{guest['id']}/review", {"rating": 4}, token=guest["bookingToken"])
    client.put(f"/api/booking/{guest['id']}", {"cost": 5}, token=admin)
    client.put("/api/booking/2", {"mechanicId": None}, token=admin)
    client.delete("/api/booking/2", token=john)
    for booking_id in (1, 2, 3):
        assert client.get(f"/api/booking/{booking_id}", token=john).status_code == 200

    for path, callers, statuses in (
        ("/api/booking/", (john, admin), ("", "&status=pending")),
        ("/api/contact/", (admin,), ("", "&status=unread")),
    ):
        for caller in callers:
            for status in statuses:
                page = client.get(f"{path}?limit=1{status}", token=caller).json
                assert (
                    client.get(f"{path}?limit=1{status}&cursor={page['nextCursor']}", token=caller).status_code == 200
                )
                assert client.get(f"{path}?limit=200{status}", token=caller).status_code == 200
    for place in ("", "&latitude=40.7&longitude=-74", "&latitude=90&longitude=0&radius=20000"):
        for wish in ("", "&available=true", "&specialization=tow", "&available=true&specialization=tow"):
            for limit in (1, 100):
                assert client.get(f"/api/mechanics/?limit={limit}{place}{wish}").status_code == 200
    client.get("/api/mechanics/1")
    client.get("/api/mechanics/1/availability")
    client.put("/api/mechanics/1", {"verified": False}, token=admin)
    client.get("/api/mechanics/1", token=john)
    client.get("/api/contact/1", token=admin)
    client.put("/api/contact/1/read", token=admin)
    client.delete("/api/contact/1", token=admin)


@pytest.fixture(scope="module")
def driven(tmp_path_factory):
    """The plans of everything that was run, and the code that ran."""
    folder = tmp_path_factory.mktemp("plans")
    with plans_recorded() as plans, calls_recorded() as codes:
        drive(lasting_client(folder))
    # Statistics of this tiny database would make the planner choose otherwise than it does in a new one.
    with sqlite3.connect(folder / "lasting.db") as connection:
        assert connection.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'sqlite_stat%'").fetchall() == []
    return plans, codes


def test_every_function_of_the_repository_was_driven(driven):
    _, codes = driven
    missed = [
        f"{module.__name__}.{name}"
        for module in modules()
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and inspect.unwrap(function).__code__ not in codes
    ]
    assert missed == ["mechtech.accounts.repository.list_all"]  # a command lists every account


def modules():
    """Those whose statements requests run; what is run once on a new database is not among them."""
    names = [f"{file.parent.name}.repository" for file in sorted((ROOT / "mechtech").glob("*/repository.py"))]
    names += ["bookings.changes", "mechanics.search", "database.page", "web.idempotency"]
    return [importlib.import_module(f"mechtech.{name}") for name in names]


def test_every_table_was_asked(driven):
    plans, _ = driven
    everything = " ".join(plans)
    for table in re.findall(r"CREATE TABLE (\w+)", (ROOT / "schema.sql").read_text(encoding="utf-8")):
        assert re.search(rf"\b{table}\b", everything)


def test_no_statement_reads_a_growing_table_through(driven):
    plans, _ = driven
    scans = [(step, sql) for sql, steps in plans.items() for step in steps if step.startswith("SCAN")]
    assert [(step, sql) for step, sql in scans if not HARMLESS.fullmatch(step)] == []


def test_no_statement_sorts_or_indexes_on_the_fly(driven):
    plans, _ = driven
    costly = ("TEMP B-TREE", "AUTOMATIC")
    assert [(step, sql) for sql, steps in plans.items() for step in steps if any(word in step for word in costly)] == []


def test_no_statement_leaves_postgresql_to_guess_the_type_of_a_parameter(driven):
    plans, _ = driven
    assert [sql for sql in plans if re.search(r":\w+ IS (NOT )?NULL", sql)] == []


def test_a_list_goes_by_an_index_of_all_that_it_filters_by(driven):
    """By the order of ids alone, a page of someone's few old bookings would read through everybody's."""
    plans, _ = driven
    lists = {sql: steps for sql, steps in plans.items() if re.search(r"ORDER BY (bookings|contact_messages)\.", sql)}
    filtered = 0
    for sql, steps in lists.items():
        searches = [step for step in steps if re.match(r"SEARCH (bookings|contact_messages) ", step)]
        for column in ("user_id", "status"):
            if re.search(rf"\b{column} = :", sql):
                filtered += 1
                assert all(f"{column}=?" in step for step in searches), (sql, searches)
    assert filtered >= 5  # user_id, status and both for bookings, status for messages


@pytest.mark.parametrize(
    ("sql", "step"),
    [
        ("SELECT * FROM bookings WHERE name = 'x'", "SCAN bookings"),
        ("SELECT id FROM bookings ORDER BY updated_at", "TEMP B-TREE"),
        ("SELECT COUNT(*) FROM mechanics WHERE name = 'x'", "SCAN mechanics"),
        ("SELECT COUNT(*) FROM bookings WHERE location = 'x'", "SCAN bookings"),
    ],
)
def test_a_statement_that_reads_through_or_sorts_would_be_noticed(app, sql, step):
    steps = app.extensions["mechtech.db"].transaction(lambda tx: explain(tx._connection, sql))
    noticed = [each for each in steps if each.startswith("SCAN") and not HARMLESS.fullmatch(each)]
    assert any(step in each for each in (*noticed, *(each for each in steps if "TEMP B-TREE" in each)))


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO users (email, password, name) VALUES ('n@example.com', '', 'N') RETURNING id",
        "INSERT INTO mechanics (email, phone, name) VALUES ('n@example.com', '1234', 'N') RETURNING id",
    ],
)
def test_a_new_row_costs_the_same_however_many_there_are_that_could_refer_to_it(app, client, sql):
    signup(client)
    app.extensions["mechtech.db"].write(
        """
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
        INSERT INTO bookings (user_id, name, email, vehicle_type, vehicle_brand, vehicle_model, service_type)
        SELECT 1, 'N', 'n@example.com', 'Car', 'B', 'M', 'Towing' FROM n
        """
    )
    app.extensions["mechtech.db"].write(
        "INSERT INTO service_history (booking_id, user_id, service_date) SELECT id, 1, created_at FROM bookings"
    )
    hundreds = []  # of instructions of SQLite's machine

    def insert_and_scan(tx):
        connection = tx._connection
        connection.set_progress_handler(lambda: hundreds.append(1) and 0, 100)
        connection.execute(sql).fetchall()
        few = len(hundreds)
        connection.execute("SELECT COUNT(*) FROM service_history WHERE user_id = 2").fetchall()
        connection.set_progress_handler(None, 0)
        return few

    assert app.extensions["mechtech.db"].transaction(insert_and_scan) < 5
    assert len(hundreds) > 50  # what a scan looks like
