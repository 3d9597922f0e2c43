"""Two services on one PostgreSQL and one Redis are one service: a limit, a key, a capacity is counted once for both."""

import glob
import json
import subprocess
from collections import Counter
from contextlib import contextmanager

import pytest

from tests.conftest import BOOKING, MECHANIC
from tests.gunicorn_server import ROOT, Server, free_port
from tests.postgresql_server import Throwaway, execute
from tests.tools import Load, at_once, book, settings, sign_up, wait_until


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    """The URI of a Redis of these tests."""
    port = str(free_port())
    command = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, cwd=tmp_path_factory.mktemp("redis"), stdout=subprocess.DEVNULL)
    yield f"redis://127.0.0.1:{port}"
    process.kill()
    process.wait()


@contextmanager
def machines(folder, redis, other=(), **environ):
    """Two servers with the same settings on ports of their own. other: what the second has besides."""
    shared = settings(folder, RATE_LIMIT_STORAGE=redis, **environ)
    # A library is preloaded into a program that is started, not into one that is forked.
    second = Server({**shared, **dict(other)}, folder / "two.log", root=ROOT if other else None)
    with Server(shared, folder / "one.log") as one, second as two:
        yield one, two


@pytest.fixture(scope="module")
def pair(tmp_path_factory, redis):
    with machines(tmp_path_factory.mktemp("pair"), redis) as pair:
        yield pair


def statuses(answers) -> Counter:
    return Counter(answer.status for answer in answers)


def test_of_a_limit_of_100_exactly_100_are_let_through(tmp_path, redis):
    with machines(tmp_path, f"{redis}/1", RATE_LIMIT="100 per hour") as pair:
        answers = at_once(140, lambda number: pair[number % 2].call("GET", "/api/mechanics/"))
    assert statuses(answers) == {200: 100, 429: 40}


def test_the_start_says_in_one_line_that_limits_are_local_where_they_are(tmp_path, pair):
    said = "DATABASE_URL without RATE_LIMIT_STORAGE: each machine counts its own limits"
    with Server(settings(tmp_path), tmp_path / "log") as server:
        assert server.log.read_text().count(said) == 1
    assert said not in pair[0].log.read_text()


def test_one_key_sent_to_both_at_once_makes_one_booking(pair):
    headers = {"Idempotency-Key": "sent-to-both"}
    answers = at_once(20, lambda number: pair[number % 2].call("POST", "/api/booking/", BOOKING, headers=headers))
    assert statuses(answers) == {201: 20}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert Counter(answer.headers["Idempotent-Replayed"] for answer in answers) == {"true": 19, None: 1}


def test_forty_confirmations_on_both_fill_exactly_the_capacity(pair):
    admin = sign_up(pair[0], "admin@example.com", admin=True)
    mechanic = pair[0].call("POST", "/api/mechanics/", MECHANIC, token=admin).json["mechanic"]["id"]
    ids = [book(pair[0]).json["bookingId"] for _ in range(40)]
    body = {"status": "confirmed", "mechanicId": mechanic}
    answers = at_once(40, lambda number: pair[number % 2].call("PUT", f"/api/booking/{ids[number]}", body, token=admin))
    assert statuses(answers) == {200: 5, 409: 35}


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_restart_of_one_under_load_loses_nothing_that_was_acknowledged(pair, end):
    loads = [Load(server, f"{end} {number}") for number, server in enumerate(pair)]
    wait_until(lambda: all(len(load.acknowledged) > 20 for load in loads))
    getattr(pair[0], end)()
    pair[0].start()
    before = len(loads[0].acknowledged)
    wait_until(lambda: len(loads[0].acknowledged) > before + 20)
    for load in loads:
        load.stop()
    assert set(loads[1].statuses) == {201}
    rows = execute(pair[0].environ["DATABASE_URL"], "SELECT description FROM bookings")
    assert {mark for load in loads for mark in load.acknowledged} <= {mark for (mark,) in rows}


def test_a_clock_that_lags_on_one_ends_no_token_of_the_other(tmp_path, redis):
    (library,) = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    lag = {"LD_PRELOAD": library, "FAKETIME": "-50s"}
    with machines(tmp_path, redis, other=lag) as (right, lagging):

        def good(token) -> list[int]:
            return [each.call("GET", "/api/auth/profile", token=token).status for each in (right, lagging)]

        token = sign_up(right, "lag@example.com")
        change = {"currentPassword": "password123", "newPassword": "password456"}
        changed = right.call("PUT", "/api/auth/profile", change, token=token).json["token"]
        login = {"email": "lag@example.com", "password": "password456"}
        later = lagging.call("POST", "/api/auth/login", login).json["token"]  # yet it says that it is older
        assert [good(each) for each in (token, changed, later)] == [[401, 401], [200, 200], [200, 200]]
        assert lagging.call("POST", "/api/auth/logout", token=later).status == 200
        assert [good(each) for each in (changed, later)] == [[401, 401]] * 2
        again = right.call("POST", "/api/auth/login", login).json["token"]
        assert good(again) == [200, 200]
        bookings = [book(each).json for each in (right, lagging)]
        shown = [
            each.call("GET", f"/api/booking/{booking['id']}", token=booking["bookingToken"]).json["booking"]
            for booking in bookings
            for each in (right, lagging)
        ]
        assert shown[0]["created_at"] > shown[2]["created_at"]  # it does lag


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_database_that_stops_under_load_is_503_and_heals_within_seconds(tmp_path, mode):
    environ = settings(tmp_path, LOG_FORMAT="json")
    with Throwaway() as database, Server({**environ, "DATABASE_URL": database.url}, tmp_path / "log") as server:
        load = Load(server, "away")
        wait_until(lambda: len(load.acknowledged) > 20)
        database.stop(mode)
        wait_until(lambda: load.statuses[503] > 20)
        answer = server.call("GET", "/health")
        assert (answer.status, answer.json["database"]) == (503, "error")
        assert answer.headers["Retry-After"]
        database.start()
        before = len(load.acknowledged)
        wait_until(lambda: len(load.acknowledged) > before + 20, seconds=8)
        load.stop()
        assert set(load.statuses) <= {201, 503}
        assert load.slowest < 10
        rows = execute(database.url, "SELECT description FROM bookings")
        assert set(load.acknowledged) <= {mark for (mark,) in rows}
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]  # those of the pool are objects too
    assert [line for line in lines if "pool" in line.get("message", "")]


def test_a_database_that_is_away_at_the_start_is_503_until_it_comes(tmp_path):
    with Throwaway() as database:
        database.stop()
        with Server(settings(tmp_path, DATABASE_URL=database.url), tmp_path / "log") as server:
            assert book(server).status == 503
            database.start()
            wait_until(lambda: book(server).status == 201, seconds=8)
