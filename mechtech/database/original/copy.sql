-- Copies the original's rows into our tables, which are empty. `original` is its file; their_users and the other views
-- show its rows, with a NULL, or an empty text, for each column that the file does not have. A value is kept where our
-- tables allow it; one that they do not allow becomes NULL, empty or 0, never a guess.
-- text_of, clean_address, iso_time and progress are functions of Python.

INSERT INTO main.users (id, email, password, name, phone, created_at, updated_at)
SELECT id, clean_address(email), password, name, NULLIF(phone, ''),
    iso_time(created_at, updated_at), iso_time(updated_at, created_at)
FROM their_users
WHERE progress('users');

-- SQLite orders every text and blob above every number, and nothing is BETWEEN with NULL.
INSERT INTO main.mechanics (
    id, name, email, phone, latitude, longitude, rating, experience_years, specializations, verified,
    created_at, updated_at
)
SELECT id, name, clean_address(email), phone,
    CASE WHEN latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180 THEN latitude END,
    CASE WHEN latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180 THEN longitude END,
    CASE WHEN rating BETWEEN 0 AND 5 THEN rating ELSE 0 END,
    CASE WHEN experience_years BETWEEN 0 AND 80 THEN CAST(experience_years AS INTEGER) ELSE 0 END,
    specializations, verified IS 1, iso_time(created_at, updated_at), iso_time(updated_at, created_at)
FROM their_mechanics
WHERE progress('mechanics');

-- The original checked no foreign keys. An unknown status becomes 'pending': the garage looks at those, and no customer
-- is told anything.
INSERT INTO main.bookings (
    id, user_id, name, email, phone, vehicle_type, vehicle_brand, vehicle_model, service_type, description,
    location, latitude, longitude, status, created_at, updated_at
)
SELECT id, (SELECT id FROM main.users WHERE id = user_id), name, clean_address(email), NULLIF(phone, ''),
    vehicle_type, vehicle_brand, vehicle_model, service_type, NULLIF(description, ''), NULLIF(location, ''),
    CASE WHEN latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180 THEN latitude END,
    CASE WHEN latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180 THEN longitude END,
    CASE WHEN status IN ('confirmed', 'in-progress', 'completed', 'cancelled') THEN status ELSE 'pending' END,
    iso_time(created_at, updated_at), iso_time(updated_at, created_at)
FROM their_bookings
WHERE progress('bookings');

-- Of several services of one booking the newest stays, with the newest cost and the newest review. A booking that is
-- not completed has none in our tables: its service would stand in the way of the real one.
INSERT INTO main.service_history (
    id, booking_id, mechanic_id, user_id, service_date, cost, rating, review, created_at
)
SELECT id, booking_id, mechanic_id, user_id, service_date, cost, rating, review, created_at
FROM (
    SELECT id, booking_id, user_id, service_date, created_at,
        FIRST_VALUE(mechanic_id) OVER reviewed AS mechanic_id,
        FIRST_VALUE(cost) OVER (PARTITION BY booking_id ORDER BY cost IS NULL, id DESC) AS cost,
        FIRST_VALUE(rating) OVER reviewed AS rating,
        FIRST_VALUE(CASE WHEN rating IS NOT NULL THEN review END) OVER reviewed AS review,
        ROW_NUMBER() OVER (PARTITION BY booking_id ORDER BY id DESC) AS age
    FROM (
        SELECT id, booking_id,
            (SELECT id FROM main.mechanics WHERE id = mechanic_id) AS mechanic_id,
            (SELECT id FROM main.users WHERE id = user_id) AS user_id,
            iso_time(service_date, created_at) AS service_date,
            CASE WHEN cost BETWEEN 0 AND 10000000 THEN cost END AS cost,
            CASE WHEN ROUND(rating) BETWEEN 1 AND 5 THEN CAST(ROUND(rating) AS INTEGER) END AS rating,
            NULLIF(review, '') AS review,
            iso_time(created_at, service_date) AS created_at
        FROM their_service_history
        WHERE progress('service_history')
            AND booking_id IN (SELECT id FROM main.bookings WHERE status = 'completed')
    )
    WINDOW reviewed AS (PARTITION BY booking_id ORDER BY rating IS NULL, id DESC)
)
WHERE age = 1;

-- The services that have no place in our tables, and those whose review has none, for a person to read.
CREATE TABLE main.original_services_set_aside AS
SELECT theirs.*
FROM their_service_history AS theirs
LEFT JOIN main.service_history AS ours ON ours.id = theirs.id
WHERE ours.id IS NULL OR (theirs.review <> '' AND theirs.review IS NOT ours.review);

INSERT INTO main.contact_messages (id, fullName, email, message, status, created_at, updated_at)
SELECT id, fullName, clean_address(email), message, CASE WHEN status = 'read' THEN 'read' ELSE 'unread' END,
    iso_time(created_at, updated_at), iso_time(updated_at, created_at)
FROM their_contact_messages
WHERE progress('contact_messages');
