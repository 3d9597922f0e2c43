"""The SQL that copies the original's rows, in the attached database `original`, into our tables in `main`.

A value is kept where our tables allow it. A value that they do not allow becomes NULL, empty or 0, never a guess.
Each statement selects FROM {source}: the original's table, with a NULL for each column that the file does not have.
"""

# The columns of the original, by table. Parents come first.
TABLES = {
    "users": ("id", "email", "password", "name", "phone", "created_at", "updated_at"),
    "mechanics": (
        *("id", "name", "email", "phone", "latitude", "longitude", "rating", "experience_years", "specializations"),
        *("verified", "created_at", "updated_at"),
    ),
    "bookings": (
        *("id", "user_id", "name", "email", "phone", "vehicle_type", "vehicle_brand", "vehicle_model", "service_type"),
        *("description", "location", "latitude", "longitude", "status", "created_at", "updated_at"),
    ),
    "service_history": (
        *("id", "booking_id", "mechanic_id", "user_id", "service_date", "cost", "rating", "review", "created_at"),
    ),
    "contact_messages": ("id", "fullName", "email", "message", "status", "created_at", "updated_at"),
}
WITH_ADDRESS = ("users", "mechanics", "bookings", "contact_messages")


def _time(*columns: str) -> str:
    """The first column that holds a time, as text or as the milliseconds since 1970 that node writes; else now."""
    days = (f"IIF(typeof({name}) = 'text', {name}, {name} / 86400000.0 + 2440587.5)" for name in columns)
    times = (f"strftime('%Y-%m-%dT%H:%M:%SZ', {day})" for day in (*days, "'now'"))
    return f"COALESCE({', '.join(times)})"


def _text(column: str) -> str:
    """The column as text, '' for NULL. NULLIF(…, '') makes a NULL of it again. SQLite's text may be no UTF-8."""
    return f"as_text(CAST({column} AS BLOB))"


CREATED, UPDATED = _time("created_at", "updated_at"), _time("updated_at", "created_at")
ADDRESS = f"clean_address({_text('email')})"
# SQLite orders every text and blob above every number, and nothing is BETWEEN with NULL.
PLACED = "latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180"
PLACE = f"CASE WHEN {PLACED} THEN latitude END, CASE WHEN {PLACED} THEN longitude END"
# The original checked no foreign keys.
USER_ID = "(SELECT id FROM main.users WHERE id = user_id)"
MECHANIC_ID = "(SELECT id FROM main.mechanics WHERE id = mechanic_id)"

COPY = {
    "users": f"""
        INSERT INTO main.users (id, email, password, name, phone, created_at, updated_at)
        SELECT id, {ADDRESS}, {_text("password")}, {_text("name")}, NULLIF({_text("phone")}, ''),
            {CREATED}, {UPDATED}
        FROM {{source}}
        """,
    "mechanics": f"""
        INSERT INTO main.mechanics (
            id, name, email, phone, latitude, longitude, rating, experience_years, specializations, verified,
            created_at, updated_at
        )
        SELECT id, {_text("name")}, {ADDRESS}, {_text("phone")}, {PLACE},
            CASE WHEN rating BETWEEN 0 AND 5 THEN rating ELSE 0 END,
            CASE WHEN experience_years BETWEEN 0 AND 80 THEN CAST(experience_years AS INTEGER) ELSE 0 END,
            {_text("specializations")}, verified IS 1, {CREATED}, {UPDATED}
        FROM {{source}}
        """,
    # An unknown status becomes 'pending': the garage looks at those, and no customer is told anything.
    "bookings": f"""
        INSERT INTO main.bookings (
            id, user_id, name, email, phone, vehicle_type, vehicle_brand, vehicle_model, service_type, description,
            location, latitude, longitude, status, created_at, updated_at
        )
        SELECT id, {USER_ID}, {_text("name")}, {ADDRESS}, NULLIF({_text("phone")}, ''),
            {_text("vehicle_type")}, {_text("vehicle_brand")}, {_text("vehicle_model")}, {_text("service_type")},
            NULLIF({_text("description")}, ''), NULLIF({_text("location")}, ''), {PLACE},
            CASE WHEN status IN ('confirmed', 'in-progress', 'completed', 'cancelled') THEN status ELSE 'pending' END,
            {CREATED}, {UPDATED}
        FROM {{source}}
        """,
    # Of several services of one booking the newest stays, with the newest cost and the newest review. A booking that
    # is not completed has none in our tables: its service would stand in the way of the real one.
    "service_history": f"""
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
                SELECT id, booking_id, {MECHANIC_ID} AS mechanic_id, {USER_ID} AS user_id,
                    {_time("service_date", "created_at")} AS service_date,
                    CASE WHEN cost BETWEEN 0 AND 10000000 THEN cost END AS cost,
                    CASE WHEN ROUND(rating) BETWEEN 1 AND 5 THEN CAST(ROUND(rating) AS INTEGER) END AS rating,
                    NULLIF({_text("review")}, '') AS review, {_time("created_at", "service_date")} AS created_at
                FROM {{source}}
                WHERE booking_id IN (SELECT id FROM main.bookings WHERE status = 'completed')
            )
            WINDOW reviewed AS (PARTITION BY booking_id ORDER BY rating IS NULL, id DESC)
        )
        WHERE age = 1
        """,
    "contact_messages": f"""
        INSERT INTO main.contact_messages (id, fullName, email, message, status, created_at, updated_at)
        SELECT id, {_text("fullName")}, {ADDRESS}, {_text("message")},
            CASE WHEN status = 'read' THEN 'read' ELSE 'unread' END, {CREATED}, {UPDATED}
        FROM {{source}}
        """,
}

# The services that have no place in our tables, and those whose review has none.
SET_ASIDE = """
    SELECT theirs.*
    FROM {source} AS theirs
    LEFT JOIN main.service_history AS ours ON ours.id = theirs.id
    WHERE ours.id IS NULL OR (theirs.review <> '' AND theirs.review IS NOT ours.review)
    """

# The original kept no history. The row of a booking tells its status, and when it was last changed.
ADD_HISTORY = """
    INSERT INTO main.booking_history (booking_id, step, status, at, actor)
    SELECT id, (SELECT COUNT(*) + 1 FROM main.booking_history WHERE booking_id = bookings.id), status, updated_at,
        'admin'
    FROM main.bookings
    WHERE status <> 'pending' AND status NOT IN (SELECT status FROM main.booking_history WHERE booking_id = bookings.id)
    """
# Every completed booking has a service, so that it can be reviewed.
ADD_SERVICES = """
    INSERT INTO main.service_history (booking_id, user_id, service_date, created_at)
    SELECT id, user_id, updated_at, updated_at
    FROM main.bookings
    WHERE status = 'completed' AND id NOT IN (SELECT booking_id FROM main.service_history)
    """
ADD_MECHANICS = """
    UPDATE main.bookings
    SET mechanic_id = service_history.mechanic_id
    FROM main.service_history
    WHERE service_history.booking_id = bookings.id
    """
COMPLETE = (ADD_HISTORY, ADD_SERVICES, ADD_MECHANICS)

# The ids of the rows of a table that share an address, or have none. {source} is as above.
TWINS = f"""
    SELECT GROUP_CONCAT(id, ' and ') AS ids
    FROM (SELECT id, address_key({_text("email")}) AS address FROM {{source}} ORDER BY id)
    GROUP BY address
    HAVING COUNT(*) > 1
    ORDER BY MIN(id)
    """
# The addresses of a table that were cleaned. {table} is its name.
CHANGED_ADDRESSES = f"""
    SELECT ours.id, {_text("theirs.email")} AS before, ours.email
    FROM original.{{table}} AS theirs
    JOIN main.{{table}} AS ours USING (id)
    WHERE before <> ours.email COLLATE BINARY
    ORDER BY ours.id
    """
TROUBLED_ACCOUNTS = """
    SELECT id, email = '' AS has_no_address, NOT is_bcrypt(password) AS has_no_hash
    FROM main.users
    WHERE has_no_address OR has_no_hash
    ORDER BY id
    """

# Numbers that the original gave are not given again, even if their rows are gone.
NEXT_NUMBERS = """
    UPDATE main.sqlite_sequence AS ours
    SET seq = MAX(seq, COALESCE((SELECT MAX(seq) FROM original.sqlite_sequence WHERE name = ours.name), 0))
    """
FIRST_NUMBERS = """
    INSERT INTO main.sqlite_sequence (name, seq)
    SELECT name, seq
    FROM original.sqlite_sequence
    WHERE name IN ('users', 'mechanics', 'bookings', 'service_history', 'contact_messages')
        AND name NOT IN (SELECT name FROM main.sqlite_sequence)
    """
