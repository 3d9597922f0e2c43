"""`flask import-original` takes over the database of the original service."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import bcrypt
import jwt
import pytest

from mechtech import create_app
from mechtech.database.migrate import WrongDatabase
from mechtech.settings import from_environment
from tests.answers import refused, sql, wrong_fields
from tests.commands import failed, flask, succeeded
from tests.conftest import CONTACT, SECRET, book, complete, signup, started
from tests.gunicorn_server import Server

pytestmark = pytest.mark.sqlite  # its statements are SQLite's own

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
def original(tmp_path):
    """An empty database of the original."""
    return Original(str(tmp_path / "original.db"))


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
def taken(filled, app):
    """Our app, after the import."""
    said(app, filled.path)
    return app


@pytest.fixture
def office(taken):
    """A token of user 2, who is an admin now."""
    result = taken.test_cli_runner().invoke(
        args=["create-admin", "--existing", "office@mechtech.example"], input="new password\n"
    )
    assert result.exit_code == 0, result.output
    login = {"email": "office@mechtech.example", "password": "new password"}
    return taken.test_client().post("/api/auth/login", json=login).json["token"]


def said(app, file) -> str:
    """What the import of the file says when it works."""
    result = app.test_cli_runner().invoke(args=["import-original", str(file)])
    assert result.exit_code == 0, result.output
    return result.output


def refusal(app, file) -> str:
    """The one line of an import that is refused, and leaves our database as it was."""
    path = app.extensions["mechtech.db"].path
    before = dump(path)
    result = app.test_cli_runner().invoke(args=["import-original", str(file)])
    assert result.exit_code != 0, result.output
    (line,) = result.output.splitlines()
    assert dump(path) == before
    return line


def rows(path, table) -> list[dict]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")]


def imported(app, original, table) -> list[dict]:
    """Our rows of the table after the import."""
    said(app, original.path)
    return ours(app, table)


def ours(app, table) -> list[dict]:
    return rows(app.extensions["mechtech.db"].path, table)


def dump(path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


# What goes on


@pytest.mark.parametrize("email", ["John@Example.com", "john@example.com"])
def test_a_user_signs_in_with_the_old_password(taken, client, email):
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


def test_an_address_of_the_original_is_taken_in_any_case(taken, client):
    person = {"name": "Another John", "email": "JOHN@example.com", "password": "password123"}
    assert wrong_fields(client.post("/api/auth/signup", person)) == {"email"}


def test_a_token_that_the_original_issued_is_valid(taken, client, john):
    answer = client.get("/api/auth/profile", token=john)
    assert (answer.status_code, answer.json["user"]["id"]) == (200, 1)


def test_a_booking_comes_out_in_the_contracts_shape(taken, client, john):
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
        "mechanic": {"id": 3, "name": "Max Torque", "phone": MECHANIC["phone"]},
        "cost": 120.5,
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


def test_every_booking_keeps_its_reference_its_status_and_whose_it_is(taken, client, john, office):
    own = client.get("/api/booking/", token=john).json
    assert [row["reference"] for row in own["bookings"]] == ["BK000005", "BK000004", "BK000003", "BK000002", "BK000001"]
    everyones = client.get("/api/booking/", token=office).json
    assert everyones["total"] == 10
    assert [row["status"] for row in reversed(everyones["bookings"])] == [*STATUSES, *STATUSES]


@pytest.mark.parametrize("first, actor", [(1, "customer"), (6, "guest")])
def test_every_booking_has_a_history(taken, client, office, first, actor):
    for booking_id, status in enumerate(STATUSES, start=first):
        begun = {"status": "pending", "at": ISO_THEN, "by": actor}
        now = {"status": status, "at": ISO_LATER, "by": "admin"}
        history = client.get(f"/api/booking/{booking_id}", token=office).json["booking"]["history"]
        assert history == ([begun] if status == "pending" else [begun, now])


def test_a_history_goes_forward_where_a_booking_was_changed_before_it_was_made(original, app):
    original.add("bookings", {**BOOKING, "user_id": None, "created_at": LATER, "updated_at": THEN})
    (step,) = imported(app, original, "booking_history")
    assert step["at"] == ISO_LATER


def test_the_mechanics_come_out_in_the_contracts_shape(taken, client, office):
    times = {"created_at": ISO_THEN, "updated_at": ISO_LATER}
    assert client.get("/api/mechanics/").json == {"total": 1, "mechanics": [{**MECHANIC, **times, "review_count": 1}]}
    unverified = client.get("/api/mechanics/4", token=office).json["mechanic"]
    assert unverified == {**MECHANIC, **times, "id": 4, "email": "new@garage.example", "verified": 0, "review_count": 0}
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


def test_the_messages_come_out_in_the_contracts_shape(taken, client, office):
    message = {**MESSAGE, "created_at": ISO_THEN, "updated_at": ISO_LATER}
    assert client.get("/api/contact/", token=office).json == {"total": 1, "messages": [message], "nextCursor": None}


def test_bookings_go_on_from_where_they_are(taken, client, office):
    complete(client, office, 1, 3, cost=10)
    service = client.get("/api/booking/BK000001", token=office).json["booking"]["service"]
    assert (service["cost"], service["mechanic"]) == (10, {"id": 3, "name": "Max Torque"})
    refused(client.put("/api/booking/5", {"status": "confirmed"}, token=office), 409, "conflict")
    assert client.delete("/api/booking/7", token=office).status_code == 200


def test_a_completed_booking_can_be_reviewed_once(taken, client, john):
    refused(client.post("/api/booking/4/review", {"rating": 1}, token=john), 409, "conflict")
    path = taken.extensions["mechtech.db"].path
    sql(path, "UPDATE service_history SET rating = NULL, review = NULL WHERE booking_id = 4")
    assert client.post("/api/booking/4/review", {"rating": 3}, token=john).status_code == 201
    assert client.get("/api/mechanics/3").json["mechanic"]["rating"] == 3


def test_a_completed_booking_has_a_service_even_if_the_original_wrote_none(original, app, client, john):
    original.add("users", USER)
    original.add("bookings", BOOKING)
    assert "Completed bookings without a service: 1." in said(app, original.path)
    service = client.get("/api/booking/1", token=john).json["booking"]["service"]
    assert service == {"service_date": ISO_LATER, "cost": None, "rating": None, "review": None, "mechanic": None}
    assert client.post("/api/booking/1/review", {"rating": 4}, token=john).status_code == 201


def test_new_rows_get_the_next_numbers(taken, client):
    assert book(client)["id"] == "BK000011"
    signup(client)
    assert max(row["id"] for row in ours(taken, "users")) == 3


@pytest.mark.parametrize("id", [-1, 0, 10**9, 2**63 - 1])
def test_an_id_that_no_path_can_have_or_that_leaves_none_for_new_rows_is_refused(original, app, id):
    original.add("contact_messages", {**MESSAGE, "id": id})
    assert f"contact_messages {id}: " in refusal(app, original.path)


@pytest.mark.parametrize("last", [2**63 - 1, "many", -1])
def test_a_damaged_sequence_leaves_numbers_for_new_rows(original, app, client, last):
    original.add("contact_messages", MESSAGE)
    sql(original.path, "UPDATE sqlite_sequence SET seq = ?", (last,))
    said(app, original.path)
    assert client.post("/api/contact", CONTACT).status_code == 201


def test_a_number_whose_row_is_gone_is_not_given_again(filled, app, client):
    sql(filled.path, "DELETE FROM bookings WHERE id > 5")
    sql(filled.path, "DELETE FROM contact_messages")
    said(app, filled.path)
    assert book(client)["id"] == "BK000011"
    assert client.post("/api/contact/", CONTACT).json["id"] == 6


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
def test_a_value_that_does_not_fit_ends_as_none(original, app, table, row, kept):
    rest = {"users": USER, "mechanics": MECHANIC, "bookings": {**BOOKING, "user_id": None}, "contact_messages": MESSAGE}
    original.add(table, {**rest[table], **row})
    (found,) = imported(app, original, table)
    assert {name: found[name] for name in kept} == kept


@pytest.mark.parametrize(
    "created, updated, kept",
    [
        (THEN, LATER, (ISO_THEN, ISO_LATER)),
        (THEN, None, (ISO_THEN, ISO_THEN)),
        ("yesterday", LATER, (ISO_LATER, ISO_LATER)),
        ("2026-01-19T10:30:00.000Z", "2026-01-20T10:15:30+02:00", (ISO_THEN, ISO_LATER)),
        (1768818600000, 1768896930999, (ISO_THEN, ISO_LATER)),
        ("0005-03-01", -62135596800000, ("0005-03-01T00:00:00Z", "0001-01-01T00:00:00Z")),
    ],
)
def test_a_time_becomes_iso_8601(original, app, created, updated, kept):
    original.add("contact_messages", {**MESSAGE, "created_at": created, "updated_at": updated})
    (found,) = imported(app, original, "contact_messages")
    assert (found["created_at"], found["updated_at"]) == kept


def test_a_time_that_nobody_knows_is_now(original, app):
    original.add("contact_messages", {**MESSAGE, "created_at": None, "updated_at": None})
    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    (found,) = imported(app, original, "contact_messages")
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
def test_what_does_not_fit_a_service_ends_as_none(original, app, row, kept):
    original.add("bookings", {**BOOKING, "id": 4})
    original.add("mechanics", MECHANIC)
    original.add("service_history", {**SERVICE, **row})
    (found,) = imported(app, original, "service_history")
    assert {name: found[name] for name in kept} == kept
    assert set_aside(app) == []


def set_aside(app) -> list[int]:
    """The ids of the services that have no place in our tables."""
    path = app.extensions["mechtech.db"].path
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
def test_of_several_services_of_a_booking_the_newest_stays_with_the_newest_review(filled, app, services, kept):
    sql(filled.path, "DELETE FROM service_history")
    filled.add("service_history", *({**SERVICE, "id": 10 + n, **service} for n, service in enumerate(services)))
    (found,) = (row for row in imported(app, filled, "service_history") if row["booking_id"] == 4)
    assert {name: found[name] for name in kept} == kept
    assert set(set_aside(app)) >= {10 + n for n in range(len(services) - 1)}


@pytest.mark.parametrize("booking_id", [None, 99, 1, 2, 3, 5])
def test_a_service_of_no_completed_booking_is_set_aside(filled, app, booking_id):
    filled.add("service_history", {**SERVICE, "id": 7, "booking_id": booking_id})
    assert "original_services_set_aside" in said(app, filled.path)
    assert 7 not in [row["id"] for row in ours(app, "service_history")]
    assert set_aside(app) == [7]


def test_a_review_without_a_rating_is_set_aside(filled, app):
    sql(filled.path, "UPDATE service_history SET rating = NULL")
    assert imported(app, filled, "service_history")[0]["review"] is None
    assert [row["review"] for row in ours(app, "original_services_set_aside")] == ["Very quick."]


@pytest.mark.parametrize("table, row", [("users", USER), ("mechanics", MECHANIC)])
@pytest.mark.parametrize("change", [str.upper, "  {}".format, "{}.\n".format])
def test_two_rows_that_share_an_address_are_for_a_person_to_settle(filled, app, table, row, change):
    filled.add(table, {**row, "id": 77, "email": change(row["email"])})
    line = refusal(app, filled.path)
    assert f"{table} {row['id']} and 77" in line
    assert "@" not in line

    sql(filled.path, f"UPDATE {table} SET email = 'other@example.com' WHERE id = 77")
    assert len(imported(app, filled, table)) == 3


def test_rows_without_an_address_are_told_with_all_others_that_share_one(filled, app):
    filled.add("users", *({**USER, "id": id, "email": email} for id, email in ((8, ""), (9, " "))))
    filled.add("mechanics", *({**MECHANIC, "id": id, "email": None} for id in (11, 12, 13)))
    assert "users 8 and 9; mechanics 11 and 12 and 13." in refusal(app, filled.path)


@pytest.mark.parametrize("table", ["users", "bookings", "mechanics", "service_history", "contact_messages"])
def test_a_table_may_be_missing(filled, app, table):
    sql(filled.path, f"DROP TABLE {table}")
    assert [row for row in imported(app, filled, table) if "booking_id" not in row] == []
    assert sound(app)
    assert len(ours(app, "bookings")) == (0 if table == "bookings" else 10)


# The file of the site's later Flask version


def test_columns_that_the_file_lacks_are_null(filled, app, client, john):
    for table, columns in {
        "mechanics": ["latitude", "longitude"],
        "bookings": ["location", "latitude", "longitude"],
    }.items():
        for column in columns:
            sql(filled.path, f"ALTER TABLE {table} DROP COLUMN {column}")
    said(app, filled.path)
    places = {(row["location"], row["latitude"], row["longitude"]) for row in ours(app, "bookings")}
    assert (len(ours(app, "bookings")), places) == (10, {(None, None, None)})
    assert [(row["latitude"], row["longitude"]) for row in ours(app, "mechanics")] == [(None, None)] * 2
    assert client.get("/api/booking/BK000004", token=john).json["booking"]["location"] is None
    assert client.get("/api/mechanics/3").json["mechanic"]["latitude"] is None


# Addresses


@pytest.mark.parametrize(
    "before, after",
    [
        ("  sam@mail.example", "sam@mail.example"),
        ("sam@mail.example\r\n", "sam@mail.example"),
        ("\ufeffsam@mail.example\u200b", "sam@mail.example"),
        ("sam@mail.example.", "sam@mail.example"),
        ("rita@m\u00fcller.example", "rita@xn--mller-kva.example"),
        ("Rita@M\u00dcLLER.example. ", "Rita@xn--mller-kva.example"),
    ],
)
@pytest.mark.parametrize("table", ["users", "mechanics", "bookings", "contact_messages"])
def test_an_address_is_cleaned_and_the_change_is_told(original, app, table, before, after):
    rest = {"users": USER, "mechanics": MECHANIC, "bookings": {**BOOKING, "user_id": None}, "contact_messages": MESSAGE}
    original.add(table, {**rest[table], "id": 6, "email": before})
    assert f"{table} 6: the e-mail address {before!r} is {after!r} now." in said(app, original.path).splitlines()
    assert [row["email"] for row in ours(app, table)] == [after]


@pytest.mark.parametrize(
    "email",
    [
        "John@Example.com",
        "\u00d6zg\u00fcr@mail.example",
        "lee@localhost",
        "pat@mail_x.example",
        "pat@\u00e4..b",
        "John.",
    ],
)
def test_other_addresses_stay_as_they_are(original, app, email):
    original.add("users", {**USER, "email": email})
    assert "e-mail address" not in said(app, original.path)
    assert [row["email"] for row in ours(app, "users")] == [email]


# What the import tells


def test_the_import_ends_with_a_table_and_the_accounts_that_need_attention(filled, app):
    filled.add("users", {**USER, "id": 7, "email": "", "password": "$2b$10$" + "e" * 53})
    filled.add("users", {**USER, "id": 8, "email": "slow@example.com", "password": "$2b$21$" + "e" * 53})
    filled.add("service_history", {**SERVICE, "id": 7, "booking_id": 1})
    said_last = said(app, filled.path).splitlines()[-10:]
    assert [line.split() for line in said_last[:6]] == [
        ["Table", "Read", "Written", "Set", "aside"],
        ["users", "4", "4", "0"],
        ["mechanics", "2", "2", "0"],
        ["bookings", "10", "10", "0"],
        ["service_history", "2", "1", "1"],
        ["contact_messages", "1", "1", "0"],
    ]
    assert said_last[6] == "Accounts that need attention:"
    assert "user 2 has a password that is not stored as a bcrypt hash" in said_last[7]
    assert "user 7 has no e-mail address" in said_last[8]
    assert "user 8 has a password that is not" in said_last[9]


@pytest.mark.own_database
def test_a_large_file_shows_how_far_it_is(original, environ):
    with closing(sqlite3.connect(original.path)) as connection, connection:
        connection.execute(
            """
            WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100001)
            INSERT INTO contact_messages (fullName, email, message)
            SELECT 'Jane', 'jane@example.com', 'Hello there, all of you' FROM numbers
            """
        )
    result = flask(environ, "import-original", str(original.path))
    assert "100001" in succeeded(result)
    assert result.stderr.splitlines() == [
        "contact_messages: 50,000 of 100,001 rows",
        "contact_messages: 100,000 of 100,001 rows",
    ]


# What is refused


@pytest.mark.parametrize("filling", ["user", "booking"])
def test_a_database_in_use_takes_no_import(filled, app, client, filling):
    signup(client) if filling == "user" else book(client)
    assert f"has {filling}s already" in refusal(app, filled.path)


def test_a_second_import_is_refused(filled, taken):
    assert "already" in refusal(taken, filled.path)


def test_a_time_that_is_no_utf8_is_none(original, app):
    original.add("contact_messages", {**MESSAGE, "updated_at": LATER})
    sql(original.path, "UPDATE contact_messages SET created_at = CAST(x'32ff' AS TEXT)")
    assert imported(app, original, "contact_messages")[0]["created_at"] == ISO_LATER


@pytest.mark.own_database  # the failed statement keeps its lock to the end of the process
def test_a_file_whose_damage_sqlite_quotes_is_refused_in_one_line(filled, app):
    file = Path(filled.path)
    file.write_bytes(file.read_bytes().replace(b"sqlite_sequence", b"sqlite\xdesequence", 1))
    assert "cannot be imported" in refusal(app, file)


def test_a_file_that_is_no_database_of_the_original_is_refused(app, tmp_path):
    (tmp_path / "text.db").write_text("Not a database, but longer than the header of one. " * 20)
    sqlite3.connect(tmp_path / "empty.db").close()
    sql(tmp_path / "other.db", "CREATE TABLE pets (name TEXT)")
    for name in ("text.db", "empty.db", "other.db", "missing.db", ""):
        assert str(tmp_path / name) in refusal(app, tmp_path / name)
    assert not (tmp_path / "missing.db").exists()


def test_our_own_database_is_no_original(app):
    assert "of this service" in refusal(app, app.extensions["mechtech.db"].path)


def test_a_row_that_cannot_be_copied_undoes_all(filled, app):
    """Ids that stand twice, in a table without a primary key."""
    sql(filled.path, "ALTER TABLE contact_messages RENAME TO old")
    sql(filled.path, "CREATE TABLE contact_messages AS SELECT * FROM old UNION ALL SELECT * FROM old")
    assert "contact_messages.id" in refusal(app, filled.path)
    assert ours(app, "users") == []


# The start


@pytest.mark.own_database
def test_a_database_of_the_original_is_refused_at_start_with_the_command_that_imports_it(filled, environ, tmp_path):
    environ["DB_PATH"] = str(filled.path)
    before = Path(filled.path).read_bytes()
    with pytest.raises(WrongDatabase, match=r"\AThis .* DB_PATH .*import-original"):  # no dot matches a line's end
        started(environ)
    assert "import-original" in failed(flask(environ, "init-db"))
    server = Server(environ, tmp_path / "log")
    server.start(wait=False)
    assert server.process.wait(20) != 0
    log = server.log.read_text()
    assert [line for line in log.splitlines() if "import-original" in line] == log.splitlines()[-1:]
    assert "Traceback" not in log
    assert Path(filled.path).read_bytes() == before


def test_our_own_database_without_its_version_is_no_original(taken, environ, tmp_path):
    """As sqlite3's .dump and .read leave it."""
    with closing(sqlite3.connect(tmp_path / "restored.db")) as connection:
        connection.executescript("\n".join(dump(environ["DB_PATH"])))
    restored = create_app(from_environment({**environ, "DB_PATH": str(tmp_path / "restored.db")}))
    assert restored.test_client().get("/health").status_code == 200
    assert dump(tmp_path / "restored.db") == dump(environ["DB_PATH"])


# The files


def sound(app) -> bool:
    """All that SQLite can check is right."""
    path = app.extensions["mechtech.db"].path
    assert sql(path, "PRAGMA foreign_key_check") == []
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]
    return True


@pytest.mark.parametrize("journal_mode", ["DELETE", "WAL"])
def test_the_file_of_the_original_stays_untouched(filled, app, journal_mode):
    sql(filled.path, f"PRAGMA journal_mode = {journal_mode}")
    folder = Path(filled.path).parent
    before, names = Path(filled.path).read_bytes(), {path.name for path in folder.glob("original*")}
    said(app, filled.path)
    assert Path(filled.path).read_bytes() == before
    assert {path.name for path in folder.glob("original*")} == names


def test_a_file_that_nobody_may_write_to_is_read(filled, app):
    Path(filled.path).chmod(0o400)
    assert len(imported(app, filled, "bookings")) == 10


def test_our_database_is_sound_and_has_the_tables_and_indexes_of_a_new_one(filled, app):
    schema = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"
    path = app.extensions["mechtech.db"].path
    new = sql(path, schema)
    said(app, filled.path)
    assert sound(app)
    assert sql(path, schema) == new


def test_an_empty_database_of_the_original_becomes_an_empty_one(original, app, client):
    assert "No account needs attention." in said(app, original.path)
    assert book(client)["id"] == "BK000001"
    assert sound(app)


def test_an_admin_is_made_of_a_user_of_the_original(taken, office):
    assert [(row["id"], row["role"]) for row in ours(taken, "users")] == [(1, "customer"), (2, "admin")]


@pytest.mark.parametrize("code", ["6dfc", "6d00"])
@pytest.mark.parametrize("kind", ["TEXT", "BLOB"])
def test_a_text_that_is_no_utf8_or_has_a_nul_can_be_read(original, app, client, kind, code):
    """SQLite keeps any bytes, and whoever edited the file may have left some; PostgreSQL takes no NUL."""
    original.add("users", {**USER, "password": bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()})
    original.add("bookings", {**BOOKING, "status": "pending"})
    original.add("mechanics", MECHANIC)
    with closing(sqlite3.connect(original.path)) as connection, connection:
        for column in ("users.name", "bookings.email", "bookings.location", "mechanics.specializations"):
            table, _, name = column.partition(".")
            connection.execute(f"UPDATE {table} SET {name} = CAST(x'{code}' AS {kind})")
    assert "bookings 1: the e-mail address" not in said(app, original.path)
    account = client.post("/api/auth/login", {"email": USER["email"], "password": "secret"}).json
    assert account["user"]["name"] == "m\ufffd"
    (booking,) = client.get("/api/booking/", token=account["token"]).json["bookings"]
    assert (booking["email"], booking["location"]) == ("m\ufffd", "m\ufffd")
    assert client.get("/api/mechanics/").json["mechanics"][0]["specializations"] == "m\ufffd"
