-- The tables of MechTECH. Run as a whole, in one transaction, on a new database; a second run changes nothing.
-- Times are text, ISO 8601 in UTC to the second: 2026-01-19T10:30:00Z.

CREATE TABLE IF NOT EXISTS users (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    email             TEXT NOT NULL COLLATE NOCASE UNIQUE,
    password          TEXT NOT NULL,
    name              TEXT NOT NULL,
    phone             TEXT,
    role              TEXT NOT NULL DEFAULT 'customer' CHECK (role IN ('customer', 'admin')),
    -- Seconds since 1970. A token issued before it is over: a new password moves it on.
    tokens_valid_from INTEGER NOT NULL DEFAULT 0,
    created_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    updated_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
) STRICT;

CREATE TABLE IF NOT EXISTS mechanics (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    name             TEXT NOT NULL,
    email            TEXT NOT NULL COLLATE NOCASE UNIQUE,
    phone            TEXT NOT NULL,
    latitude         REAL CHECK (latitude BETWEEN -90 AND 90),
    longitude        REAL CHECK (longitude BETWEEN -180 AND 180),
    rating           REAL NOT NULL DEFAULT 0 CHECK (rating BETWEEN 0 AND 5),
    experience_years INTEGER NOT NULL DEFAULT 0 CHECK (experience_years BETWEEN 0 AND 80),
    specializations  TEXT NOT NULL DEFAULT '',
    verified         INTEGER NOT NULL DEFAULT 0 CHECK (verified IN (0, 1)),
    created_at       TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    updated_at       TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    CHECK ((latitude IS NULL) = (longitude IS NULL))
) STRICT;

CREATE INDEX IF NOT EXISTS mechanics_best ON mechanics (verified, rating DESC, experience_years DESC);
CREATE INDEX IF NOT EXISTS mechanics_place ON mechanics (verified, latitude);

CREATE TABLE IF NOT EXISTS bookings (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id       INTEGER REFERENCES users (id),
    name          TEXT NOT NULL,
    email         TEXT NOT NULL,
    phone         TEXT,
    vehicle_type  TEXT NOT NULL,
    vehicle_brand TEXT NOT NULL,
    vehicle_model TEXT NOT NULL,
    service_type  TEXT NOT NULL,
    description   TEXT,
    location      TEXT,
    latitude      REAL CHECK (latitude BETWEEN -90 AND 90),
    longitude     REAL CHECK (longitude BETWEEN -180 AND 180),
    status        TEXT NOT NULL DEFAULT 'pending'
                  CHECK (status IN ('pending', 'confirmed', 'in-progress', 'completed', 'cancelled')),
    mechanic_id   INTEGER REFERENCES mechanics (id),
    created_at    TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    updated_at    TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    CHECK ((latitude IS NULL) = (longitude IS NULL))
) STRICT;

-- Every index ends in the row's id, so each of them also serves "newest first".
CREATE INDEX IF NOT EXISTS bookings_user ON bookings (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS bookings_user_status ON bookings (user_id, status) WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS bookings_status ON bookings (status);
CREATE INDEX IF NOT EXISTS bookings_active ON bookings (mechanic_id) WHERE status IN ('confirmed', 'in-progress');

-- Every status a booking had. The first, pending, is stored only if an admin booked: else the booking's row tells it.
CREATE TABLE IF NOT EXISTS booking_history (
    booking_id INTEGER NOT NULL REFERENCES bookings (id),
    step       INTEGER NOT NULL,
    status     TEXT NOT NULL CHECK (status IN ('pending', 'confirmed', 'in-progress', 'completed', 'cancelled')),
    at         TEXT NOT NULL,
    actor      TEXT NOT NULL CHECK (actor IN ('guest', 'customer', 'admin')),
    PRIMARY KEY (booking_id, step)
) STRICT, WITHOUT ROWID;

-- An admin may be a customer later, and a customer an admin. A database that has this trigger without its WHEN keeps it,
-- and stores the first step always.
CREATE TRIGGER IF NOT EXISTS bookings_begin AFTER INSERT ON bookings
WHEN (SELECT role FROM users WHERE id = NEW.user_id) = 'admin'
BEGIN
    INSERT INTO booking_history (booking_id, step, status, at, actor)
    VALUES (NEW.id, 1, 'pending', NEW.created_at, 'admin');
END;

CREATE TABLE IF NOT EXISTS service_history (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    booking_id   INTEGER NOT NULL UNIQUE REFERENCES bookings (id),
    mechanic_id  INTEGER REFERENCES mechanics (id),
    user_id      INTEGER REFERENCES users (id),
    service_date TEXT NOT NULL,
    cost         REAL CHECK (cost BETWEEN 0 AND 10000000),
    rating       INTEGER CHECK (rating BETWEEN 1 AND 5),
    review       TEXT,
    created_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    CHECK (review IS NULL OR rating IS NOT NULL)
) STRICT;

CREATE INDEX IF NOT EXISTS service_history_mechanic ON service_history (mechanic_id, service_date)
    WHERE mechanic_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS service_history_rating ON service_history (mechanic_id, rating)
    WHERE rating IS NOT NULL;

CREATE TABLE IF NOT EXISTS contact_messages (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    fullName   TEXT NOT NULL,
    email      TEXT NOT NULL,
    message    TEXT NOT NULL,
    status     TEXT NOT NULL DEFAULT 'unread' CHECK (status IN ('unread', 'read')),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
) STRICT;

CREATE INDEX IF NOT EXISTS contact_messages_status ON contact_messages (status);

-- What an Idempotency-Key made, so that a retry gets the same answer. user_id is 0 for a guest.
CREATE TABLE IF NOT EXISTS idempotency_keys (
    resource   TEXT NOT NULL,
    user_id    INTEGER NOT NULL,
    key        TEXT NOT NULL,
    body_hash  BLOB NOT NULL,
    row_id     INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (resource, user_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS idempotency_keys_age ON idempotency_keys (created_at);
