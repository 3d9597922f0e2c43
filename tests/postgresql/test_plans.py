"""PostgreSQL finds every row by an index, as SQLite does: a table that grows is never read through for a request."""

import re
from typing import NamedTuple

import psycopg
import pytest
from psycopg.rows import tuple_row

from tests.api.test_query_plans import drive
from tests.conftest import lasting_client, make_admin
from tests.postgresql_server import execute

READING = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)
OURS = re.compile("schema_migrations|leaves@example.com")  # what the tests and the health check run
GROWING = ("users", "bookings", "booking_history", "service_history", "contact_messages", "idempotency_keys", "outbox")
ROWS = 20_000
FILL = f"""
    INSERT INTO users (email, password, name)
    SELECT 'many' || n || '@example.com', '$2b$04$', 'Many' FROM generate_series(1, {ROWS}) AS n;

    INSERT INTO bookings (user_id, name, email, vehicle_type, vehicle_brand, vehicle_model, service_type, status,
        mechanic_id, created_at)
    SELECT id, name, email, 'Car', 'Fiat', '500', 'Towing',
        CASE WHEN id > 0.95 * {ROWS} THEN 'pending' WHEN id % 5 = 0 THEN 'cancelled' ELSE 'completed' END, 1 + id % 3,
        to_char(to_timestamp(1700000000 + id / 2) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    FROM users WHERE name = 'Many';

    INSERT INTO booking_history (booking_id, step, status, at, actor)
    SELECT id, 1, status, created_at, 'admin' FROM bookings WHERE name = 'Many';
    INSERT INTO service_history (booking_id, mechanic_id, user_id, service_date, rating)
    SELECT id, mechanic_id, user_id, created_at, 5 FROM bookings WHERE name = 'Many' AND status = 'completed';
    INSERT INTO contact_messages ("fullName", email, message, status, created_at)
    SELECT name, email, 'A message.', 'read', created_at FROM bookings WHERE name = 'Many';
    INSERT INTO idempotency_keys (resource, user_id, key, body_hash, row_id, created_at)
    SELECT 'booking', 0, id, '', id, '2999' FROM bookings WHERE name = 'Many';
    INSERT INTO outbox (kind, recipient, content, created_at, due_at, sent_at)
    SELECT 'booked', email, '', created_at, created_at, created_at FROM bookings WHERE name = 'Many'"""


class Statement(NamedTuple):
    sql: str
    params: dict

    def plan(self, connection, options: str = "") -> dict:
        cursor = connection.cursor(row_factory=tuple_row)
        return cursor.execute(f"EXPLAIN (FORMAT JSON {options}) {self.sql}", self.params).fetchone()[0][0]["Plan"]


@pytest.fixture(scope="module")
def recorded():
    """The statements that the service's connections run, in their order; params are those of their first time."""
    statements = {}
    from mechtech.database.postgresql import Connection

    class Recording(Connection):
        def execute(self, query, params=None, **options):
            if READING.match(query) and not OURS.search(query):
                statements.setdefault(query, Statement(query, params))
            return super().execute(query, params, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mechtech.database.postgresql.Connection", Recording)
        yield statements


@pytest.fixture(scope="module")
def filled(recorded, tmp_path_factory):
    """A client of a service that was asked for everything, and has many rows of each kind since."""
    client = lasting_client(tmp_path_factory.mktemp("plans"))
    drive(client)
    url = client.client.application.config["settings"].database_url
    execute(url, FILL)
    execute(url, "VACUUM ANALYZE")
    return client


@pytest.fixture
def connection(filled):
    url = filled.client.application.config["settings"].database_url
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def reads_through(plan: dict, limited: bool = False) -> list[str]:
    """The growing tables that the plan reads from end to end. In an index's order up to a limit is not to the end."""
    limited = plan["Node Type"] == "Limit" or (limited and plan["Node Type"] not in ("Sort", "Hash", "Aggregate"))
    found = [each for child in plan.get("Plans", ()) for each in reads_through(child, limited)]
    if plan.get("Relation Name") in GROWING and "Scan" in plan["Node Type"]:
        bounded = "Index Cond" in plan or plan["Node Type"] == "Bitmap Heap Scan"
        if not bounded and not (limited and "Filter" not in plan):
            found.append(f"{plan['Node Type']} of {plan['Relation Name']}")
    return found


def test_no_statement_reads_a_growing_table_through(recorded, connection):
    assert len(recorded) > 60
    plans = {statement.sql: statement.plan(connection) for statement in list(recorded.values())}
    scans = {sql: found for sql, plan in plans.items() if (found := reads_through(plan))}
    assert scans == {}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM bookings WHERE location = 'x' LIMIT 1",
        "SELECT id FROM bookings ORDER BY updated_at LIMIT 1",
        "SELECT id FROM bookings WHERE location = 'x' ORDER BY id LIMIT 1",
        "SELECT COUNT(*) FROM outbox",
        "UPDATE users SET name = 'x' WHERE phone = 'y'",
    ],
)
def test_a_statement_that_reads_through_would_be_noticed(connection, sql):
    assert reads_through(Statement(sql, {}).plan(connection))


LISTS = [
    "/api/booking/?",
    "/api/booking/?order=oldest&",
    "/api/booking/?status=completed&",
    "/api/booking/?mechanicId=2&",
    "/api/contact/?",
    "/api/contact/?status=read&",
]


@pytest.fixture(scope="module")
def admin(filled):
    return make_admin(filled.client.application, filled, "lists@example.com")


@pytest.mark.parametrize("path", LISTS)
def test_the_last_page_costs_what_the_first_does(filled, admin, recorded, connection, path):
    costs, cursor = [], ""
    while cursor is not None:
        recorded.clear()
        answer = filled.get(f"{path}limit=200{cursor and f'&cursor={cursor}'}", token=admin)
        costs.append(cost(recorded, connection))
        cursor = answer.json["nextCursor"]
    assert len(costs) > 15
    assert max(costs) < 2 * costs[0]


@pytest.mark.parametrize("limit", [1, 50, 200])
@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_a_page_of_what_is_far_from_the_begin_costs_no_more(filled, admin, recorded, connection, limit, order):
    """Only the newest bookings are pending."""
    recorded.clear()
    answer = filled.get(f"/api/booking/?status=pending&limit={limit}&order={order}", token=admin)
    assert len(answer.json["bookings"]) == limit
    assert cost(recorded, connection) < 50 + 10 * limit


def cost(recorded, connection) -> int:
    """The blocks of 8 KiB that the list's own statement looks at."""
    (page,) = [each for each in recorded.values() if re.search(r"ORDER BY \w+\.created_at", each.sql)]
    plan = page.plan(connection, ", ANALYZE, BUFFERS")
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
