-- Adds what our tables have beside the original's rows, when these are copied.

-- The original kept no history. The row of a booking tells its status, and when it was last changed, which was not
-- before it was made.
INSERT INTO main.booking_history (booking_id, step, status, at, actor)
SELECT id, 1, status, MAX(created_at, updated_at), 'admin'
FROM main.bookings
WHERE status <> 'pending';

-- Every completed booking has a service, so that it can be reviewed.
INSERT INTO main.service_history (booking_id, user_id, service_date, created_at)
SELECT id, user_id, updated_at, updated_at
FROM main.bookings
WHERE status = 'completed' AND id NOT IN (SELECT booking_id FROM main.service_history);

UPDATE main.bookings
SET mechanic_id = service_history.mechanic_id
FROM main.service_history
WHERE service_history.booking_id = bookings.id;
