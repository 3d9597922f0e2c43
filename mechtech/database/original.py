"""Moves a database of the original service into our tables: the same rows under the same ids.

What a value of it says is kept where our tables allow it; what says nothing becomes NULL, or empty, never a guess.
"""

import logging
import sqlite3
from collections.abc import Callable

log = logging.getLogger("mechtech")

TABLES = ("users", "mechanics", "bookings", "service_history", "contact_messages")  # parents first


def _time(*columns: str) -> str:
    """The first that is a time, as text or as the milliseconds since 1970 that node writes for a Date. Else now."""
    days = (f"IIF(typeof({name}) = 'text', {name}, {name} / 86400000.0 + 2440587.5)" for name in columns)
    times = (f"strftime('%Y-%m-%dT%H:%M:%SZ', {day})" for day in (*days, "'now'"))
    return f"COALESCE({', '.join(times)})"


def _text(column: str) -> str:
    """'' where there is none, or NULL where that is wanted: NULLIF(…, '')."""
    return f"COALESCE(CAST({column} AS TEXT), '')"


CREATED, UPDATED = _time("created_at", "updated_at"), _time("updated_at", "created_at")
# A text or a blob is above every number, NULL is nowhere: neither is ever between two.
PLACED = "latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180"
PLACE = f"CASE WHEN {PLACED} THEN latitude END, CASE WHEN {PLACED} THEN longitude END"
# The original checked no foreign keys.
USER_ID = "(SELECT id FROM users WHERE id = user_id)"
MECHANIC_ID = "(SELECT id FROM mechanics WHERE id = mechanic_id)"

COPY = {
    "users": f"""
        INSERT INTO users (id, email, password, name, phone, created_at, updated_at)
        SELECT id, {_text("email")}, {_text("password")}, {_text("name")}, NULLIF({_text("phone")}, ''),
            {CREATED}, {UPDATED}
        FROM original_users
        """,
    "mechanics": f"""
        INSERT INTO mechanics (
            id, name, email, phone, latitude, longitude, rating, experience_years, specializations, verified,
            created_at, updated_at
        )
        SELECT id, {_text("name")}, {_text("email")}, {_text("phone")}, {PLACE},
            CASE WHEN rating BETWEEN 0 AND 5 THEN rating ELSE 0 END,
            CASE WHEN experience_years BETWEEN 0 AND 80 THEN CAST(experience_years AS INTEGER) ELSE 0 END,
            {_text("specializations")}, verified IS 1, {CREATED}, {UPDATED}
        FROM original_mechanics
        """,
    # An unknown status becomes 'pending': nobody is told that something happened, and somebody looks at it.
    "bookings": f"""
        INSERT INTO bookings (
            id, user_id, name, email, phone, vehicle_type, vehicle_brand, vehicle_model, service_type, description,
            location, latitude, longitude, status, created_at, updated_at
        )
        SELECT id, {USER_ID}, {_text("name")}, {_text("email")}, NULLIF({_text("phone")}, ''),
            {_text("vehicle_type")}, {_text("vehicle_brand")}, {_text("vehicle_model")}, {_text("service_type")},
            NULLIF({_text("description")}, ''), NULLIF({_text("location")}, ''), {PLACE},
            CASE WHEN status IN ('confirmed', 'in-progress', 'completed', 'cancelled') THEN status ELSE 'pending' END,
            {CREATED}, {UPDATED}
        FROM original_bookings
        """,
    # Of several services of one booking the newest stays, with the newest cost and the newest review. A booking that
    # is not completed has none in our tables: its service would stand in the way of the real one.
    "service_history": f"""
        INSERT INTO service_history (
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
                FROM original_service_history
                WHERE booking_id IN (SELECT id FROM bookings WHERE status = 'completed')
            )
            WINDOW reviewed AS (PARTITION BY booking_id ORDER BY rating IS NULL, id DESC)
        )
        WHERE age = 1
        """,
    "contact_messages": f"""
        INSERT INTO contact_messages (id, fullName, email, message, status, created_at, updated_at)
        SELECT id, {_text("fullName")}, {_text("email")}, {_text("message")},
            CASE WHEN status = 'read' THEN 'read' ELSE 'unread' END, {CREATED}, {UPDATED}
        FROM original_contact_messages
        """,
}

# Those whose service, or whose review, found no place.
HOMELESS = """
    SELECT original.*
    FROM original_service_history AS original
    LEFT JOIN service_history AS ours ON ours.id = original.id
    WHERE ours.id IS NULL OR (original.review <> '' AND original.review IS NOT ours.review)
    """

# What the original did not write down, and its rows tell.
ADD_HISTORY = """
    INSERT INTO booking_history (booking_id, step, status, at, actor)
    SELECT id, (SELECT COUNT(*) + 1 FROM booking_history WHERE booking_id = bookings.id), status, updated_at, 'admin'
    FROM bookings
    WHERE status <> 'pending' AND status NOT IN (SELECT status FROM booking_history WHERE booking_id = bookings.id)
    """
# Every completed booking has one, and can be reviewed.
ADD_SERVICES = """
    INSERT INTO service_history (booking_id, user_id, service_date, created_at)
    SELECT id, user_id, updated_at, updated_at
    FROM bookings
    WHERE status = 'completed' AND id NOT IN (SELECT booking_id FROM service_history)
    """
ADD_MECHANICS = """
    UPDATE bookings
    SET mechanic_id = service_history.mechanic_id
    FROM service_history
    WHERE service_history.booking_id = bookings.id
    """


def adopt(tx: sqlite3.Connection, make_tables: Callable[[], None]) -> None:
    """Make our tables, with everything in them that the original's have, which are then gone.

    tx: in an immediate transaction. Raises OperationalError where only a person can tell what to do.
    """
    # Ours are STRICT, the original's are not.
    found = {name for _, name, kind, _, _, strict in tx.execute("PRAGMA table_list") if kind == "table" and not strict}
    theirs = [table for table in TABLES if table in found]
    for table in {"users", "mechanics"}.intersection(theirs):
        _refuse_twins(tx, table)
    for table in theirs:
        tx.execute(f"ALTER TABLE {table} RENAME TO original_{table}")
    make_tables()
    if not theirs:
        return
    # Numbers that were given once are not given again, even if their rows are gone.
    tx.execute(
        """
        INSERT INTO sqlite_sequence (name, seq)
        SELECT SUBSTR(name, LENGTH('original_') + 1), seq
        FROM sqlite_sequence
        WHERE name LIKE 'original^_%' ESCAPE '^'
        """
    )
    for table in theirs:
        tx.execute(COPY[table])
    if "service_history" in theirs:
        _set_aside(tx)
    for statement in (ADD_HISTORY, ADD_SERVICES, ADD_MECHANICS):
        tx.execute(statement)
    for table in reversed(theirs):
        tx.execute(f"DROP TABLE original_{table}")
    make_tables()  # the indexes whose names were taken until now


def _refuse_twins(tx: sqlite3.Connection, table: str) -> None:
    """Addresses are now compared without regard to case. Which of two accounts to keep is not ours to say."""
    twins = tx.execute(
        f"""
        SELECT GROUP_CONCAT(id, ' and ')
        FROM {table}
        GROUP BY {_text("email")} COLLATE NOCASE
        HAVING COUNT(*) > 1
        """
    ).fetchall()
    if twins:
        ids = "; ".join(sorted(ids for (ids,) in twins))  # the log may name no address
        error = sqlite3.OperationalError(
            f"in the original's table {table} these ids share an e-mail address, but for upper and lower case, or have "
            f"none: {ids}. Change or delete all but one of each; nothing is changed yet"
        )
        error.sqlite_errorcode = sqlite3.SQLITE_NOTADB  # a state of the file, not a mistake in a statement
        raise error


def _set_aside(tx: sqlite3.Connection) -> None:
    """The service never reads that table; a person may."""
    if tx.execute(HOMELESS).fetchone():
        tx.execute(f"CREATE TABLE original_services_set_aside AS {HOMELESS}")
        log.warning("some services or reviews have no place: they are in the table original_services_set_aside")
