-- The tables of MechTECH as a new SQLite database gets them: what all migrations make. A database that exists is
-- brought up to date by mechtech/database/migrations/sqlite/.
-- Times are text, ISO 8601 in UTC to the second: 2026-01-19T10:30:00Z.

CREATE TABLE users (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    email             TEXT NOT NULL COLLATE NOCASE UNIQUE,
    password          TEXT NOT NULL,
    name              TEXT NOT NULL,
    phone             TEXT,
    role              TEXT NOT NULL DEFAULT 'customer' CHECK (role IN ('customer', 'admin')),
    -- Seconds since 1970. Tokens without a key that were issued before it have ended.
    tokens_valid_from INTEGER NOT NULL DEFAULT 0,
    created_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    updated_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    -- A random text that the account's tokens carry: NULL until a password or a logout draws one.
    token_key         TEXT
) STRICT;

-- Addresses are compared without regard to case, by the same expression on every engine.
CREATE UNIQUE INDEX users_email ON users (lower(email));
-- The cost of a bcrypt hash stands in its fifth and sixth characters: a failed login takes as long as the highest.
CREATE INDEX users_password_cost ON users (substr(password, 5, 2)) WHERE substr(password, 1, 2) = '$2';

CREATE TABLE mechanics (
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

CREATE UNIQUE INDEX mechanics_email ON mechanics (lower(email));
CREATE INDEX mechanics_best ON mechanics (verified, rating DESC, experience_years DESC);
CREATE INDEX mechanics_degree ON mechanics (CAST(latitude AS INTEGER), longitude);

CREATE TABLE bookings (
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

-- Lists are ordered by time. Every index ends in the row's id, which orders what came in one second.
CREATE INDEX bookings_time ON bookings (created_at);
CREATE INDEX bookings_user_time ON bookings (user_id, created_at) WHERE user_id IS NOT NULL;
CREATE INDEX bookings_user_status_time ON bookings (user_id, status, created_at)
    WHERE user_id IS NOT NULL;
CREATE INDEX bookings_status_time ON bookings (status, created_at);
CREATE INDEX bookings_mechanic_time ON bookings (mechanic_id, created_at) WHERE mechanic_id IS NOT NULL;
CREATE INDEX bookings_active ON bookings (mechanic_id) WHERE status IN ('confirmed', 'in-progress');

-- Every status a booking had. The first, pending, is stored only if an admin booked for a caller: otherwise the
-- booking's row tells it.
CREATE TABLE booking_history (
    booking_id INTEGER NOT NULL REFERENCES bookings (id),
    step       INTEGER NOT NULL,
    status     TEXT NOT NULL CHECK (status IN ('pending', 'confirmed', 'in-progress', 'completed', 'cancelled')),
    at         TEXT NOT NULL,
    actor      TEXT NOT NULL CHECK (actor IN ('guest', 'customer', 'admin')),
    PRIMARY KEY (booking_id, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE service_history (
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

CREATE INDEX service_history_mechanic ON service_history (mechanic_id, service_date)
    WHERE mechanic_id IS NOT NULL;
CREATE INDEX service_history_rating ON service_history (mechanic_id, rating)
    WHERE rating IS NOT NULL;

CREATE TABLE contact_messages (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    fullName   TEXT NOT NULL,
    email      TEXT NOT NULL,
    message    TEXT NOT NULL,
    status     TEXT NOT NULL DEFAULT 'unread' CHECK (status IN ('unread', 'read')),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
) STRICT;

CREATE INDEX contact_messages_time ON contact_messages (created_at);
CREATE INDEX contact_messages_status_time ON contact_messages (status, created_at);

-- What an Idempotency-Key made, so that a retry gets the same answer. user_id is 0 for a guest.
CREATE TABLE idempotency_keys (
    resource   TEXT NOT NULL,
    user_id    INTEGER NOT NULL,
    key        TEXT NOT NULL,
    body_hash  BLOB NOT NULL,
    row_id     INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (resource, user_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- Mails to be sent, written down in the transaction of what set them off, and those that were. One that is neither sent
-- nor given up is tried from due_at on. content: what it tells, as JSON, emptied once it is sent.
CREATE TABLE outbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT NOT NULL,
    recipient   TEXT NOT NULL,
    content     TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    due_at      TEXT NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0,
    sent_at     TEXT,
    given_up_at TEXT
) STRICT;

CREATE INDEX outbox_due ON outbox (due_at) WHERE sent_at IS NULL AND given_up_at IS NULL;
