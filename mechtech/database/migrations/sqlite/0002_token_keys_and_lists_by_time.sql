-- A random key for each account, which its tokens carry: NULL until a password or a logout draws one.
ALTER TABLE users ADD COLUMN token_key TEXT;

-- Addresses are compared without regard to case, by the same expression on every engine.
CREATE UNIQUE INDEX users_email ON users (lower(email));
CREATE UNIQUE INDEX mechanics_email ON mechanics (lower(email));
-- The cost of a bcrypt hash stands in its fifth and sixth characters: a failed login takes as long as the highest.
CREATE INDEX users_password_cost ON users (substr(password, 5, 2)) WHERE substr(password, 1, 2) = '$2';

-- Who books for a caller is written down by the service, since such a booking belongs to no account.
DROP TRIGGER bookings_begin;

-- Lists are ordered by time. Every index ends in the row's id, which orders what came in one second.
DROP INDEX bookings_user;
DROP INDEX bookings_user_status;
DROP INDEX bookings_status;
DROP INDEX contact_messages_status;
CREATE INDEX bookings_time ON bookings (created_at);
CREATE INDEX bookings_user_time ON bookings (user_id, created_at) WHERE user_id IS NOT NULL;
CREATE INDEX bookings_user_status_time ON bookings (user_id, status, created_at) WHERE user_id IS NOT NULL;
CREATE INDEX bookings_status_time ON bookings (status, created_at);
CREATE INDEX bookings_mechanic_time ON bookings (mechanic_id, created_at) WHERE mechanic_id IS NOT NULL;
CREATE INDEX contact_messages_time ON contact_messages (created_at);
CREATE INDEX contact_messages_status_time ON contact_messages (status, created_at);

-- Mechanics near a place are found by whole degrees of latitude and, within each, by longitude.
DROP INDEX mechanics_place;
CREATE INDEX mechanics_degree ON mechanics (CAST(latitude AS INTEGER), longitude);
