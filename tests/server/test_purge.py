"""What an operator does to all rows while the service writes."""

import pytest

from tests.commands import flask, succeeded
from tests.server.test_backups import Writer, fill
from tests.tools import check_database, running, sql

pytestmark = pytest.mark.sqlite  # where all wait for one lock

ROWS = 5_000


def test_a_purge_of_many_bookings_refuses_no_booking_that_comes_in(tmp_path):
    with running(tmp_path) as server:
        path = server.environ["DB_PATH"]
        fill(path, ROWS)
        sql(path, "UPDATE bookings SET status = 'cancelled', created_at = '2020-01-01T00:00:00Z'")
        sql(path, "INSERT INTO booking_history SELECT id, 1, 'cancelled', created_at, 'guest' FROM bookings")
        (writer := Writer(server)).start()
        said = succeeded(flask(server.environ, "purge", "--older-than", "365d", "--yes"))
        writer.stop()
        assert f"Purged: {ROWS:,} ended bookings" in said
        assert not writer.failed and writer.booked
    check_database(path)
    assert sql(path, "SELECT COUNT(*) FROM bookings WHERE name = 'Forgotten'") == [(ROWS,)]
