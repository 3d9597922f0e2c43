-- The indexes of the lists end in the id, which orders what came in one second. On SQLite every index does.
DROP INDEX bookings_time;
DROP INDEX bookings_user_time;
DROP INDEX bookings_user_status_time;
DROP INDEX bookings_status_time;
DROP INDEX bookings_mechanic_time;
DROP INDEX contact_messages_time;
DROP INDEX contact_messages_status_time;
DROP INDEX mechanics_best;
DROP INDEX service_history_mechanic;

CREATE INDEX bookings_time ON bookings (created_at, id);
CREATE INDEX bookings_user_time ON bookings (user_id, created_at, id) WHERE user_id IS NOT NULL;
CREATE INDEX bookings_user_status_time ON bookings (user_id, status, created_at, id) WHERE user_id IS NOT NULL;
CREATE INDEX bookings_status_time ON bookings (status, created_at, id);
CREATE INDEX bookings_mechanic_time ON bookings (mechanic_id, created_at, id) WHERE mechanic_id IS NOT NULL;
CREATE INDEX contact_messages_time ON contact_messages (created_at, id);
CREATE INDEX contact_messages_status_time ON contact_messages (status, created_at, id);
CREATE INDEX mechanics_best ON mechanics (verified, rating DESC, experience_years DESC, id);
CREATE INDEX service_history_mechanic ON service_history (mechanic_id, service_date, id)
    WHERE mechanic_id IS NOT NULL;
