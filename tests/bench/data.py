"""Databases for the bench, in the schema of version 1, which every version of the service reads."""

import os
import sqlite3
import time
from pathlib import Path

import bcrypt
import jwt

from tests.conftest import SECRET
from tests.gunicorn_server import ROOT

FIRST = ROOT / "mechtech" / "database" / "migrations" / "sqlite" / "0001_first.sql"
PASSWORD = "password123"
READER, WRITER, SIGNER = 1, 2, 3  # whose 20 bookings are read, who books, who logs in
OWN = 20
CHUNK = 100  # a booking takes its next step when that many others have come

PEOPLE = """
    INSERT INTO users (email, password, name, phone)
    SELECT 'user' || id || '@example.com', :password, 'User ' || id, '+1 555 0100' FROM numbers WHERE id <= :users;

    INSERT INTO mechanics (name, email, phone, latitude, longitude, rating, experience_years, specializations, verified)
    SELECT 'Mechanic ' || id, 'mechanic' || id || '@garage.example', '+1 555 0199', 40.7 + id / 1000.0, -74.01,
        3 + id % 20 / 10.0, id % 30, 'Engine Repair, Towing', 1
    FROM numbers WHERE id <= :mechanics;

    INSERT INTO contact_messages (fullName, email, message)
    SELECT 'User ' || id, 'user' || id || '@example.com', 'Do you repair motorcycles too?'
    FROM numbers WHERE id <= :messages;

    -- What becomes of each booking. Of a mechanic's five slots two are taken; one customer in ten is a guest.
    CREATE TEMP TABLE plan AS
    SELECT id, 1 + id % :mechanics AS mechanic_id,
        CASE
            WHEN id > :bookings - 2 * :mechanics THEN iif(id % 2, 'confirmed', 'in-progress')
            WHEN id % 10 = 0 THEN 'cancelled' WHEN id % 10 = 1 THEN 'pending' ELSE 'completed'
        END AS status,
        CASE
            WHEN id % (:bookings / :own) = 0 THEN :reader
            WHEN id % 10 = 3 THEN NULL ELSE 4 + id % (:users - 3)
        END AS user_id,
        strftime('%Y-%m-%dT%H:%M:%SZ', 1735689600 + 60 * id, 'unixepoch') AS at
    FROM numbers WHERE id <= :bookings;
    CREATE UNIQUE INDEX temp.plan_id ON plan (id);

    CREATE TEMP TABLE steps AS
    SELECT column1 AS ending, column2 AS step, column3 AS status
    FROM (VALUES ('confirmed', 1, 'confirmed'),
        ('in-progress', 1, 'confirmed'), ('in-progress', 2, 'in-progress'),
        ('completed', 1, 'confirmed'), ('completed', 2, 'in-progress'), ('completed', 3, 'completed'),
        ('cancelled', 1, 'cancelled'))"""
COLUMNS = """
    user_id, name, email, phone, vehicle_type, vehicle_brand, vehicle_model, service_type, description, location,
    latitude, longitude, created_at, updated_at"""
COME = f"""
    INSERT INTO bookings ({COLUMNS})
    SELECT user_id, 'User ' || id, 'user' || id || '@example.com', '+1 555 0100', 'Car', 'Toyota', 'Corolla',
        'Engine Repair', 'It stopped on the bridge.', 'Brooklyn Bridge, New York', 40.7061, -73.9969, at, at
    FROM plan WHERE id BETWEEN ? AND ?"""
STEP = """
    INSERT INTO booking_history (booking_id, step, status, at, actor)
    SELECT id, step, steps.status, at, 'admin'
    FROM plan JOIN steps ON ending = plan.status WHERE id BETWEEN ? AND ? AND step = ?"""
END = """
    UPDATE bookings SET status = plan.status, updated_at = at,
        mechanic_id = iif(plan.status IN ('pending', 'cancelled'), NULL, plan.mechanic_id)
    FROM plan WHERE plan.id = bookings.id AND bookings.id BETWEEN ? AND ?"""
SERVE = """
    INSERT INTO service_history (booking_id, mechanic_id, user_id, service_date, cost, rating, review, created_at)
    SELECT id, mechanic_id, user_id, at, 120.5, iif(id % 3, 5, NULL), iif(id % 3, 'Quick and friendly.', NULL), at
    FROM plan WHERE status = 'completed' AND id BETWEEN ? AND ?"""


def token(user_id: int) -> str:
    now = int(time.time())
    return jwt.encode({"userId": user_id, "iat": now, "exp": now + 86400}, SECRET, "HS256")


def fill(path: Path, bookings: int, users: int, mechanics: int, messages: int) -> None:
    """Make a new database with so many rows of each kind."""
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -400000")
    db.executescript(FIRST.read_text(encoding="utf-8"))
    db.execute("PRAGMA user_version = 1")
    db.execute("BEGIN")
    db.execute("CREATE TEMP TABLE numbers (id INTEGER PRIMARY KEY)")
    db.executemany("INSERT INTO numbers VALUES (?)", ((id,) for id in range(1, max(bookings, messages) + 1)))
    counts = {"bookings": bookings, "users": users, "mechanics": mechanics, "messages": messages}
    password = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(10)).decode()
    for statement in PEOPLE.split(";\n"):
        db.execute(statement, {**counts, "password": password, "own": OWN, "reader": READER})
    # One lives on while others begin, as in life: that is what splits the pages of tables and indexes.
    for first in range(1, bookings + 3 * CHUNK, CHUNK):
        db.execute(COME, (first, first + CHUNK - 1))
        for n in (1, 2, 3):
            db.execute(STEP, (first - n * CHUNK, first - n * CHUNK + CHUNK - 1, n))
        old = first - 3 * CHUNK, first - 2 * CHUNK - 1
        db.execute(END, old)
        db.execute(SERVE, old)
    db.execute("COMMIT")
    db.execute("PRAGMA journal_mode = WAL")
    db.close()
    os.sync()  # nothing of it is left to write while the bench measures
