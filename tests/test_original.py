"""A database of the original service goes on where DB_PATH points at it."""

import multiprocessing
import re
import sqlite3
import time
from contextlib import closing

import bcrypt
import jwt
import pytest

from mechtech import create_app
from mechtech.settings import from_environment
from tests.answers import refused, sql, wrong_fields
from tests.conftest import SECRET, Api, book, complete, signup
from tests.test_commands import flask, succeeded

TABLES = """
CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    email TEXT UNIQUE NOT NULL,
    password TEXT NOT NULL,
    name TEXT,
    phone TEXT,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE bookings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER,
    name TEXT,
    email TEXT,
    phone TEXT,
    vehicle_type TEXT,
    vehicle_brand TEXT,
    vehicle_model TEXT,
    service_type TEXT,
    description TEXT,
    location TEXT,
    latitude REAL,
    longitude REAL,
    status TEXT DEFAULT "pending",
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE INDEX bookings_status ON bookings (status);
CREATE TABLE contact_messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    fullName TEXT,
    email TEXT,
    message TEXT,
    status TEXT DEFAULT 'unread',
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE mechanics (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT,
    email TEXT UNIQUE,
    phone TEXT,
    latitude REAL,
    longitude REAL,
    rating REAL DEFAULT 0,
    experience_years INTEGER,
    specializations TEXT,
    verified BOOLEAN DEFAULT 0,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE service_history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    booking_id INTEGER,
    mechanic_id INTEGER,
    user_id INTEGER,
    service_date DATETIME,
    cost REAL,
    rating INTEGER,
    review TEXT,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    FOREIGN KEY (booking_id) REFERENCES bookings (id),
    FOREIGN KEY (mechanic_id) REFERENCES mechanics (id),
    FOREIGN KEY (user_id) REFERENCES users (id)
);
"""
STATUSES = ("pending", "confirmed", "in-progress", "completed", "cancelled")
THEN, LATER = "2026-01-19 10:30:00", "2026-01-20 08:15:30"  # as CURRENT_TIMESTAMP writes them
ISO_THEN, ISO_LATER = "2026-01-19T10:30:00Z", "2026-01-20T08:15:30Z"
TIMES = {"created_at": THEN, "updated_at": LATER}
USER = {"id": 1, "email": "John@Example.com", "password": "", "name": "John Doe", "phone": "+1 555 0100", **TIMES}
BOOKING = {
    "user_id": 1,
    "name": "John Doe",
    "email": "john@example.com",
    "phone": "",
    "vehicle_type": "Car",
    "vehicle_brand": "Toyota",
    "vehicle_model": "Corolla",
    "service_type": "Towing",
    "description": None,
    "location": "Brooklyn Bridge",
    "latitude": 40.7061,
    "longitude": -73.9969,
    "status": "completed",
    **TIMES,
}
MECHANIC = {
    "id": 3,
    "name": "Max Torque",
    "email": "max@garage.example",
    "phone": "+1 555 0199",
    "latitude": 40.7,
    "longitude": -74,
    "rating": 4.5,
    "experience_years": 12,
    "specializations": "Engine Repair, Towing",
    "verified": 1,
    **TIMES,
}
MESSAGE = {
    "id": 5,
    "fullName": "Jane Roe",
    "email": "jane@example.com",
    "message": "Do you repair motorcycles?",
    "status": "read",
    **TIMES,
}
SERVICE = {
    "id": 2,
    "booking_id": 4,
    "mechanic_id": 3,
    "user_id": 1,
    "service_date": "2026-01-20 08:00:00",
    "cost": 120.5,
    "rating": 5,
    "review": "Very quick.",
    "created_at": LATER,
}


class Original:
    """The file as the original service left it."""

    def __init__(self, path):
        self.path = path
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(TABLES)

    def add(self, table, *rows):
        with closing(sqlite3.connect(self.path)) as connection, connection:
            for row in rows:
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))


@pytest.fixture
def original(environ):
    return Original(environ["DB_PATH"])


@pytest.fixture
def filled(original):
    """Users 1 and 2; bookings 1 to 5 of user 1, one in each status, and 6 to 10 of guests."""
    password = bcrypt.hashpw(b"secret", bcrypt.gensalt(4, prefix=b"2a")).decode()
    original.add("users", {**USER, "password": password}, {**USER, "id": 2, "email": "office@mechtech.example"})
    for user_id in (1, None):
        original.add("bookings", *({**BOOKING, "user_id": user_id, "status": status} for status in STATUSES))
    original.add("mechanics", MECHANIC, {**MECHANIC, "id": 4, "email": "new@garage.example", "verified": None})
    original.add("contact_messages", MESSAGE)
    original.add("service_history", SERVICE)
    return original


@pytest.fixture
def john():
    """A token as the original issued it."""
    now = int(time.time())
    return jwt.encode({"userId": 1, "iat": now - 3600, "exp": now + 7 * 86400 - 3600}, SECRET, "HS256")


@pytest.fixture
def office(filled, app):
    """A token of user 2, who is an admin now."""
    result = app.test_cli_runner().invoke(args=["create-admin", "office@mechtech.example"])
    assert result.exit_code == 0, result.output
    return jwt.encode({"userId": 2, "iat": int(time.time()) - 60, "exp": 2**33}, SECRET, "HS256")


def started(environ) -> Api:
    return Api(create_app(from_environment(environ)).test_client())


def rows(path, table) -> list[dict]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")]


def adopted(environ, table) -> list[dict]:
    """The rows of the table after a start."""
    assert started(environ).get("/health").status_code == 200
    return rows(environ["DB_PATH"], table)


def dump(path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


# What goes on


@pytest.mark.parametrize("email", ["John@Example.com", "john@example.com"])
def test_a_user_signs_in_with_the_old_password(filled, client, email):
    answer = client.post("/api/auth/login", {"email": email, "password": "secret"})
    assert answer.status_code == 200
    assert answer.json["user"] == {
        "id": 1,
        "name": "John Doe",
        "email": "John@Example.com",
        "phone": "+1 555 0100",
        "role": "customer",
        "created_at": ISO_THEN,
        "updated_at": ISO_LATER,
    }
    wrong = client.post("/api/auth/login", {"email": email, "password": "Secret"})
    refused(wrong, 401, "invalid_credentials")


def test_an_address_of_the_original_is_taken_in_any_case(filled, client):
    person = {"name": "Another John", "email": "JOHN@example.com", "password": "password123"}
    assert wrong_fields(client.post("/api/auth/signup", person)) == {"email"}


def test_a_token_that_the_original_issued_is_valid(filled, client, john):
    answer = client.get("/api/auth/profile", token=john)
    assert (answer.status_code, answer.json["user"]["id"]) == (200, 1)


def test_a_booking_comes_out_in_the_contracts_shape(filled, client, john):
    answer = client.get("/api/booking/BK000004", token=john)
    assert answer.status_code == 200
    assert answer.json["booking"] == {
        **BOOKING,
        "id": 4,
        "reference": "BK000004",
        "phone": None,
        "mechanic_id": 3,
        "created_at": ISO_THEN,
        "updated_at": ISO_LATER,
        "service": {
            "service_date": "2026-01-20T08:00:00Z",
            "cost": 120.5,
            "rating": 5,
            "review": "Very quick.",
            "mechanic": {"id": 3, "name": "Max Torque"},
        },
        "history": [
            {"status": "pending", "at": ISO_THEN, "by": "customer"},
            {"status": "completed", "at": ISO_LATER, "by": "admin"},
        ],
    }


def test_every_booking_keeps_its_reference_its_status_and_whose_it_is(filled, client, john, office):
    own = client.get("/api/booking/", token=john).json
    assert [row["reference"] for row in own["bookings"]] == ["BK000005", "BK000004", "BK000003", "BK000002", "BK000001"]
    everyones = client.get("/api/booking/", token=office).json
    assert everyones["total"] == 10
    assert [row["status"] for row in reversed(everyones["bookings"])] == [*STATUSES, *STATUSES]


@pytest.mark.parametrize("first, actor", [(1, "customer"), (6, "guest")])
def test_every_booking_has_a_history(filled, client, office, first, actor):
    for booking_id, status in enumerate(STATUSES, start=first):
        begun = {"status": "pending", "at": ISO_THEN, "by": actor}
        now = {"status": status, "at": ISO_LATER, "by": "admin"}
        history = client.get(f"/api/booking/{booking_id}", token=office).json["booking"]["history"]
        assert history == ([begun] if status == "pending" else [begun, now])


def test_the_mechanics_come_out_in_the_contracts_shape(filled, client, office):
    times = {"created_at": ISO_THEN, "updated_at": ISO_LATER}
    assert client.get("/api/mechanics/").json == {"total": 1, "mechanics": [{**MECHANIC, **times}]}
    unverified = client.get("/api/mechanics/4", token=office).json["mechanic"]
    assert unverified == {**MECHANIC, **times, "id": 4, "email": "new@garage.example", "verified": 0}
    (service,) = client.get("/api/mechanics/3").json["recentServices"]
    assert service == {
        "id": 2,
        "service_date": "2026-01-20T08:00:00Z",
        "cost": 120.5,
        "rating": 5,
        "review": "Very quick.",
        "service_type": "Towing",
        "vehicle_type": "Car",
    }


def test_the_messages_come_out_in_the_contracts_shape(filled, client, office):
    message = {**MESSAGE, "created_at": ISO_THEN, "updated_at": ISO_LATER}
    assert client.get("/api/contact/", token=office).json == {"total": 1, "messages": [message], "nextCursor": None}


def test_bookings_go_on_from_where_they_are(filled, client, office):
    complete(client, office, 1, 3, cost=10)
    service = client.get("/api/booking/BK000001", token=office).json["booking"]["service"]
    assert (service["cost"], service["mechanic"]) == (10, {"id": 3, "name": "Max Torque"})
    refused(client.put("/api/booking/5", {"status": "confirmed"}, token=office), 409, "conflict")
    assert client.delete("/api/booking/7", token=office).status_code == 200


def test_a_completed_booking_can_be_reviewed_once(filled, client, john):
    refused(client.post("/api/booking/4/review", {"rating": 1}, token=john), 409, "conflict")
    sql(filled.path, "UPDATE service_history SET rating = NULL, review = NULL WHERE booking_id = 4")
    assert client.post("/api/booking/4/review", {"rating": 3}, token=john).status_code == 201
    assert client.get("/api/mechanics/3").json["mechanic"]["rating"] == 3


def test_a_completed_booking_has_a_service_even_if_the_original_wrote_none(original, environ, john):
    original.add("users", USER)
    original.add("bookings", BOOKING)
    client = started(environ)
    service = client.get("/api/booking/1", token=john).json["booking"]["service"]
    assert service == {"service_date": ISO_LATER, "cost": None, "rating": None, "review": None, "mechanic": None}
    assert client.post("/api/booking/1/review", {"rating": 4}, token=john).status_code == 201


def test_new_rows_get_the_next_numbers(filled, client):
    assert book(client)["id"] == "BK000011"
    signup(client)
    assert max(row["id"] for row in rows(filled.path, "users")) == 3


def test_a_number_whose_row_is_gone_is_not_given_again(filled, environ):
    sql(filled.path, "DELETE FROM bookings WHERE id > 5")
    assert book(started(environ))["id"] == "BK000011"


# What does not fit


@pytest.mark.parametrize(
    "table, row, kept",
    [
        ("users", {"name": None, "phone": None}, {"name": "", "phone": None}),
        ("users", {"phone": 5550100}, {"phone": "5550100"}),
        ("mechanics", {"name": None, "phone": None}, {"name": "", "phone": ""}),
        ("mechanics", {"specializations": None, "verified": None}, {"specializations": "", "verified": 0}),
        ("mechanics", {"verified": "yes"}, {"verified": 0}),
        *(("mechanics", {"rating": rating}, {"rating": 0}) for rating in (None, -1, 5.1, "good")),
        *(("mechanics", {"rating": rating}, {"rating": rating}) for rating in (0, 4.25, 5)),
        *(("mechanics", {"experience_years": years}, {"experience_years": 0}) for years in (None, -1, 81, "many")),
        *(("mechanics", {"experience_years": years}, {"experience_years": int(years)}) for years in (0, 7.5, 80)),
        *(
            (table, {"latitude": latitude, "longitude": longitude}, {"latitude": None, "longitude": None})
            for table in ("mechanics", "bookings")
            for latitude, longitude in ((1, None), (None, 1), (90.1, 0), (0, -180.1), ("here", 0), (0, b"1"))
        ),
        ("bookings", {"latitude": -90, "longitude": 180}, {"latitude": -90, "longitude": 180}),
        ("bookings", {"status": None}, {"status": "pending"}),
        ("bookings", {"status": "assigned"}, {"status": "pending"}),
        ("bookings", {"user_id": 99}, {"user_id": None}),
        ("bookings", {"name": None, "vehicle_type": None}, {"name": "", "vehicle_type": ""}),
        ("bookings", {"description": "", "location": b"Brooklyn"}, {"description": None, "location": "Brooklyn"}),
        ("contact_messages", {"status": "answered", "message": None}, {"status": "unread", "message": ""}),
    ],
)
def test_a_value_that_does_not_fit_ends_as_none(original, environ, table, row, kept):
    rest = {"users": USER, "mechanics": MECHANIC, "bookings": {**BOOKING, "user_id": None}, "contact_messages": MESSAGE}
    original.add(table, {**rest[table], **row})
    (found,) = adopted(environ, table)
    assert {name: found[name] for name in kept} == kept


@pytest.mark.parametrize(
    "created, updated, kept",
    [
        (THEN, LATER, (ISO_THEN, ISO_LATER)),
        (THEN, None, (ISO_THEN, ISO_THEN)),
        ("yesterday", LATER, (ISO_LATER, ISO_LATER)),
        ("2026-01-19T10:30:00.000Z", "2026-01-20T10:15:30+02:00", (ISO_THEN, ISO_LATER)),
        (1768818600000, 1768896930999, (ISO_THEN, ISO_LATER)),
    ],
)
def test_a_time_becomes_iso_8601(original, environ, created, updated, kept):
    original.add("contact_messages", {**MESSAGE, "created_at": created, "updated_at": updated})
    (found,) = adopted(environ, "contact_messages")
    assert (found["created_at"], found["updated_at"]) == kept


def test_a_time_that_nobody_knows_is_now(original, environ):
    original.add("contact_messages", {**MESSAGE, "created_at": None, "updated_at": None})
    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    (found,) = adopted(environ, "contact_messages")
    assert before <= found["created_at"] == found["updated_at"]
    assert found["created_at"] <= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


@pytest.mark.parametrize(
    "row, kept",
    [
        *(({"rating": rating, "review": ""}, {"rating": None, "review": None}) for rating in (None, 0, 6, "good")),
        ({"rating": 4.5}, {"rating": 5}),
        *(({"rating": rating}, {"rating": rating}) for rating in (1, 5)),
        *(({"cost": cost}, {"cost": None}) for cost in (None, -1, 10_000_001, "free")),
        ({"cost": 0}, {"cost": 0}),
        ({"mechanic_id": 99, "user_id": 99}, {"mechanic_id": None, "user_id": None}),
        ({"service_date": None}, {"service_date": ISO_LATER}),
        ({"service_date": "2026-01-20"}, {"service_date": "2026-01-20T00:00:00Z"}),
    ],
)
def test_what_does_not_fit_a_service_ends_as_none(original, environ, row, kept):
    original.add("bookings", {**BOOKING, "id": 4})
    original.add("mechanics", MECHANIC)
    original.add("service_history", {**SERVICE, **row})
    (found,) = adopted(environ, "service_history")
    assert {name: found[name] for name in kept} == kept
    assert set_aside(environ["DB_PATH"]) == []


def set_aside(path) -> list[int]:
    """The ids of the services that have no place in our tables."""
    named = sql(path, "SELECT name FROM sqlite_schema WHERE name = 'original_services_set_aside'")
    return [row["id"] for row in rows(path, "original_services_set_aside")] if named else []


@pytest.mark.parametrize(
    "services, kept",
    [
        ([{"cost": 1}, {"cost": 2}], {"id": 11, "cost": 2, "rating": 5, "review": "Very quick."}),
        ([{}, {"cost": None, "rating": None, "review": None}], {"id": 11, "cost": 120.5, "rating": 5}),
        ([{"rating": None, "review": None}, {"rating": 1, "review": ""}], {"id": 11, "rating": 1, "review": None}),
        ([{"mechanic_id": 3}, {"mechanic_id": 4, "rating": None}], {"id": 11, "mechanic_id": 3, "rating": 5}),
        ([{"rating": 1}, {"rating": 2}, {"rating": 0}], {"id": 12, "rating": 2}),
    ],
)
def test_of_several_services_of_a_booking_the_newest_stays_with_the_newest_review(filled, environ, services, kept):
    sql(filled.path, "DELETE FROM service_history")
    filled.add("service_history", *({**SERVICE, "id": 10 + n, **service} for n, service in enumerate(services)))
    (found,) = (row for row in adopted(environ, "service_history") if row["booking_id"] == 4)
    assert {name: found[name] for name in kept} == kept
    assert set(set_aside(filled.path)) >= {10 + n for n in range(len(services) - 1)}


@pytest.mark.parametrize("booking_id", [None, 99, 1, 2, 3, 5])
def test_a_service_of_no_completed_booking_is_set_aside(filled, environ, caplog, booking_id):
    filled.add("service_history", {**SERVICE, "id": 7, "booking_id": booking_id})
    assert 7 not in [row["id"] for row in adopted(environ, "service_history")]
    assert set_aside(filled.path) == [7]
    assert "original_services_set_aside" in caplog.text


def test_a_review_without_a_rating_is_set_aside(filled, environ):
    sql(filled.path, "UPDATE service_history SET rating = NULL")
    assert adopted(environ, "service_history")[0]["review"] is None
    assert [row["review"] for row in rows(filled.path, "original_services_set_aside")] == ["Very quick."]


@pytest.mark.parametrize("table, row", [("users", USER), ("mechanics", MECHANIC)])
def test_two_addresses_that_differ_only_in_case_are_for_a_person_to_settle(filled, environ, caplog, table, row):
    filled.add(table, {**row, "id": 77, "email": row["email"].upper()})
    before = dump(filled.path)
    client = started(environ)
    assert f"{table} these ids" in caplog.text
    assert f"{row['id']} and 77" in caplog.text or f"77 and {row['id']}" in caplog.text
    assert "@" not in caplog.text
    refused(client.get("/api/mechanics/"), 503, "unavailable")
    assert client.get("/health").status_code == 503
    assert dump(filled.path) == before

    sql(filled.path, f"UPDATE {table} SET email = 'other@example.com' WHERE id = 77")
    assert client.get("/api/mechanics/").json["total"] >= 1
    assert len(rows(filled.path, table)) == 3


@pytest.mark.parametrize("table", ["users", "bookings", "mechanics", "service_history", "contact_messages"])
def test_a_table_may_be_missing(filled, environ, table):
    sql(filled.path, f"DROP TABLE {table}")
    missing = [row for row in adopted(environ, table) if "booking_id" not in row]
    assert missing == []
    assert sound(filled.path)
    assert len(rows(filled.path, "bookings")) == (0 if table == "bookings" else 10)


def test_a_table_of_the_originals_may_stand_among_ours(environ):
    ours = create_app(from_environment(environ))
    client = Api(ours.test_client())
    office = signup(client, "office@mechtech.example")
    succeeded(flask(environ, "create-admin", "office@mechtech.example"))
    for token in (None, signup(client), office, None):
        book(client, token)
        complete(client, office, book(client, token)["bookingId"])
        client.put(f"/api/booking/{book(client, token)['id']}", {"status": "confirmed"}, token=office)
    before = [client.get(f"/api/booking/{booking_id}", token=office).json for booking_id in range(1, 13)]
    sql(environ["DB_PATH"], "DROP TABLE contact_messages")
    sql(environ["DB_PATH"], re.search("CREATE TABLE contact_messages.*?;", TABLES, re.DOTALL)[0])

    client = started(environ)
    assert [client.get(f"/api/booking/{booking_id}", token=office).json for booking_id in range(1, 13)] == before
    assert sound(environ["DB_PATH"])


# The file itself


def sound(path) -> bool:
    """Nothing of the original's is left, and all that SQLite can check is right."""
    assert sql(path, "PRAGMA foreign_key_check") == []
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]
    left = sql(path, "SELECT name FROM sqlite_schema WHERE tbl_name LIKE 'original%' OR sql LIKE '%original%'")
    assert left in ([], [("original_services_set_aside",)])
    return True


def test_the_file_is_sound_and_has_the_tables_and_indexes_of_a_new_one(filled, environ, tmp_path):
    started(environ)
    assert sound(filled.path)
    started({**environ, "DB_PATH": str(tmp_path / "new.db")})
    schema = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"
    assert sql(filled.path, schema) == sql(tmp_path / "new.db", schema)


def test_an_empty_database_of_the_original_becomes_an_empty_one(original, environ):
    assert book(started(environ))["id"] == "BK000001"
    assert sound(original.path)


def test_a_second_start_changes_nothing(filled, environ):
    started(environ)
    before = dump(filled.path)
    client = started(environ)
    assert client.get("/health").status_code == 200
    assert dump(filled.path) == before


def test_our_own_database_without_its_version_is_no_original(filled, environ, tmp_path):
    """As sqlite3's .dump and .read leave it."""
    started(environ)
    with closing(sqlite3.connect(tmp_path / "restored.db")) as connection:
        connection.executescript("\n".join(dump(filled.path)))
    restored = str(tmp_path / "restored.db")
    assert started({**environ, "DB_PATH": restored}).get("/health").status_code == 200
    assert dump(restored) == dump(filled.path)


def test_processes_that_start_at_once_adopt_it_once(filled, environ):
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(4), context.Queue()
    processes = [context.Process(target=start_with_others, args=(environ, barrier, results)) for _ in range(4)]
    for process in processes:
        process.start()
    try:
        assert [results.get(timeout=30) for _ in processes] == [(200, 1)] * 4
    finally:
        for process in processes:
            process.join(10)
            process.kill()
    assert sound(filled.path)
    assert len(rows(filled.path, "bookings")) == 10
    assert len(rows(filled.path, "booking_history")) == 8
    assert len(rows(filled.path, "service_history")) == 2


def start_with_others(environ, barrier, results):
    barrier.wait(30)
    client = started(environ)
    results.put((client.get("/health").status_code, client.get("/api/mechanics/").json["total"]))


def test_an_admin_is_made_of_a_user_of_the_original(filled, environ):
    succeeded(flask(environ, "create-admin", "john@example.com"))
    assert sql(filled.path, "SELECT id, role FROM users") == [(1, "admin"), (2, "customer")]
