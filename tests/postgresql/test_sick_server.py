"""A PostgreSQL in trouble is 503 with Retry-After, in bounded time; the service is well again without a restart."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import psycopg
import pytest

from mechtech.database import migrate
from mechtech.database.postgresql import MIGRATION_LOCK, Database
from mechtech.errors import Unavailable
from tests.answers import refused
from tests.conftest import BOOKING, Api, book, started
from tests.gunicorn_server import Server
from tests.postgresql_server import Throwaway, execute
from tests.tools import Load, at_once, settings, wait_until

ROLE = "garage"


@pytest.fixture(scope="module")
def own():
    """A server of these tests, whose database the service owns in a role that is no superuser."""
    with Throwaway() as server:
        execute(server.url, f"CREATE ROLE {ROLE} LOGIN")
        yield server


@pytest.fixture
def sick(own, environ):
    """A client of an app with a booking, and the URL by which its database is made sick."""
    execute(own.url, f"DROP DATABASE IF EXISTS {ROLE} WITH (FORCE)")
    execute(own.url, f"CREATE DATABASE {ROLE} OWNER {ROLE}")
    url = urlsplit(own.url)._replace(netloc=f"{ROLE}@127.0.0.1:{own.port}", path=f"/{ROLE}").geturl()
    client = Api(started({**environ, "DATABASE_URL": url}).test_client())
    book(client)
    return client, own.url


@contextmanager
def read_only(url):
    """As a standby is: reads are answered, writes are not."""
    execute(url, f"ALTER DATABASE {ROLE} SET default_transaction_read_only = on")
    end_connections(url)
    yield
    execute(url, f"ALTER DATABASE {ROLE} RESET default_transaction_read_only")
    end_connections(url)


@contextmanager
def closed(url):
    execute(url, f"ALTER DATABASE {ROLE} ALLOW_CONNECTIONS false")
    end_connections(url)
    yield
    execute(url, f"ALTER DATABASE {ROLE} ALLOW_CONNECTIONS true")


@contextmanager
def without_connections(url):
    """Another program has all that the role may have."""
    execute(url, f"ALTER ROLE {ROLE} CONNECTION LIMIT 1")
    end_connections(url)
    parts = urlsplit(url)
    with psycopg.connect(parts._replace(netloc=f"{ROLE}@127.0.0.1:{parts.port}").geturl()):
        yield
    execute(url, f"ALTER ROLE {ROLE} CONNECTION LIMIT -1")


def end_connections(url):
    execute(url, f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '{ROLE}'")


@pytest.mark.parametrize("ailment, reads", [(read_only, 200), (closed, 503), (without_connections, 503)])
def test_while_it_takes_no_writes_all_that_writes_is_503_and_well_again_after(sick, ailment, reads):
    client, url = sick
    with ailment(url):
        for answer in (client.post("/api/booking/", BOOKING), client.get("/health")):
            assert (answer.status_code, answer.json["error"]) == (503, "unavailable")
            assert int(answer.headers["Retry-After"]) > 0
        assert (answer.json["database"], answer.json["limits"]) == ("error", "ok")
        assert client.get("/api/mechanics/").status_code == reads
    wait_until(lambda: client.get("/health").status_code == 200, seconds=8)
    assert book(client)["bookingId"] == 2


def test_a_full_disk_is_503_for_what_needs_more_of_it(sick):
    """A trigger raises what the server reports then: to fill a disk takes more than a test may have."""
    client, url = sick
    inside = urlsplit(url)._replace(path=f"/{ROLE}").geturl()
    raising = "BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END"
    execute(inside, f"CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $${raising}$$")
    execute(inside, "CREATE TRIGGER full_disk BEFORE INSERT ON bookings EXECUTE FUNCTION full_disk()")
    refused(client.post("/api/booking/", BOOKING), 503, "unavailable")
    assert client.get("/api/mechanics/").status_code == 200
    execute(inside, "DROP TRIGGER full_disk ON bookings")
    book(client)
    assert execute(inside, "SELECT COUNT(*) FROM bookings") == [(2,)]


def test_a_server_that_is_up_to_date_and_read_only_is_read_from_the_start(sick, environ):
    client, url = sick
    with read_only(url):
        app = started({**environ, "DATABASE_URL": client.client.application.config["settings"].database_url})
        assert Api(app.test_client()).get("/api/mechanics/").status_code == 200
        refused(Api(app.test_client()).post("/api/booking/", BOOKING), 503, "unavailable")


def test_while_one_request_waits_for_another_machines_migration_the_others_are_503_soon(environ):
    """The service started while its server was away."""
    db = Database(environ["DATABASE_URL"], migrate.scripts("postgresql"))

    def read(number):
        with suppress(Unavailable):
            return db.all("SELECT 1")

    with ThreadPoolExecutor() as pool, psycopg.connect(environ["DATABASE_URL"]) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
        begun = time.monotonic()
        reads = [pool.submit(read, number) for number in range(4)]
        wait_until(lambda: sum(each.done() for each in reads) == 3)
        assert time.monotonic() - begun < 6
        other.rollback()
        assert sum(each.result() is not None for each in reads) == 1
    assert read(0)
    db._pool.close()


def test_a_server_that_hangs_holds_no_request_for_ten_seconds_and_health_says_so_in_two(tmp_path):
    with Throwaway() as database, Server(settings(tmp_path, DATABASE_URL=database.url), tmp_path / "log") as server:
        load = Load(server, "load")
        wait_until(lambda: len(load.acknowledged) > 20)

        def timed(*request):
            begun = time.monotonic()
            answer = server.call(*request)
            return answer, time.monotonic() - begun

        with database.hanging():
            requests = [("POST", "/api/booking/", BOOKING), ("GET", "/api/mechanics/"), ("GET", "/health")] * 12
            answers = at_once(len(requests), lambda number: timed(*requests[number]))
            assert {answer.status for answer, _ in answers} == {503}
            assert {answer.headers["Retry-After"] for answer, _ in answers} == {"1"}
            assert max(seconds for _, seconds in answers) < 10
            health = answers[2::3]
            assert {(each.json["database"], each.json["limits"]) for each, _ in health} == {("error", "ok")}
            assert max(seconds for _, seconds in health) < 5
            wait_until(lambda: load.statuses[503] > 4)
        before = len(load.acknowledged)
        wait_until(lambda: len(load.acknowledged) > before + 20, seconds=8)
        load.stop()
        assert set(load.statuses) == {201, 503}
        assert load.slowest < 10
        rows = execute(database.url, "SELECT description FROM bookings")
        assert set(load.acknowledged) <= {mark for (mark,) in rows}
