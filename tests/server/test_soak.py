"""The long versions: more rounds, more addresses, more examples. Bounded in number, with a summary at the end."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.conftest import MECHANIC
from tests.gunicorn_server import ROOT
from tests.server import test_crashes as crashes
from tests.server import test_limits as limits
from tests.server import test_sick_database as sick
from tests.server import test_slow_clients as slow
from tests.tools import at_once, book, check_database, running, sign_up, sql, wait_until
from tests.unit import test_limit_storage as limit_storage

pytestmark = pytest.mark.soak
redis = limits.redis
clock = limit_storage.clock

SUMMARY = []


@pytest.fixture(autouse=True, scope="module")
def summary(request):
    """Printed past pytest's capture, for whoever waited."""
    yield
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n\nWhat the soak did:", *SUMMARY, sep="\n  ")


def tell(what: str, **counts):
    SUMMARY.append(f"{what}: " + ", ".join(f"{name} {count}" for name, count in counts.items()))


def test_forty_crashes_lose_nothing(tmp_path):
    counts = crashes.crash(tmp_path, rounds=40, seed=time.time_ns())
    tell("SIGKILL of all processes", **counts, lost=0)


def test_twenty_reloads_and_twenty_killed_workers_fail_nothing(tmp_path):
    with running(tmp_path) as server, crashes.Load(server) as load:
        for _ in range(20):
            before = server.workers()
            server.signal(signal.SIGHUP)
            wait_until(lambda before=before: crashes.replaced(server, before))
        assert load.failed == []
        for number in range(20):
            victim = server.workers()[0]
            os.kill(victim, signal.SIGTERM if number % 2 else signal.SIGKILL)
            wait_until(lambda victim=victim: victim not in server.workers() and len(server.workers()) == 2)
            answered = len(load.answered)
            wait_until(lambda answered=answered: len(load.answered) > answered + 20)
    in_hand = len(load.failed)
    assert in_hand <= 10 * len(load.threads)
    booked = {mark for (mark,) in sql(tmp_path / "test.db", "SELECT description FROM bookings")}
    assert set(load.answered) <= booked
    tell("reloads 20, killed workers 20", requests=len(load.answered), failed_with_their_worker=in_hand)


@pytest.mark.parametrize("ailment", sick.AILMENTS, ids=lambda ailment: ailment.__name__)
def test_a_database_that_falls_ill_under_load(tmp_path, ailment):
    """Ten times each, at a random moment between the requests of eight writers: what was answered 201 is there."""
    chance = Random(time.time_ns())
    with running(tmp_path) as server:
        server.acknowledged = set()
        path, answered = Path(server.environ["DB_PATH"]), Counter()
        sick.booked(server, "the first")

        def write(number):
            if number < 8:
                return [sick.booked(server, f"{round_} {number} {n}") for n in range(40)]
            time.sleep(chance.uniform(0, 0.3))
            with ailment(server, path):
                time.sleep(chance.uniform(0, 0.3))
            return []

        for round_ in range(10):
            answered.update(status for statuses in at_once(9, write) for status in statuses)
            assert set(answered) <= {201, 503}
            sick.check_well(server, f"round {round_}")
    tell(f"ill: {ailment.__name__}", acknowledged=answered[201], refused=answered[503], lost=0)


def test_races_again_and_again(tmp_path):
    rounds = 30
    with running(tmp_path, WEB_CONCURRENCY="4") as server:
        admin = sign_up(server, "admin@example.com", admin=True)
        for number in range(rounds):
            body = {**MECHANIC, "email": f"m{number}@garage.example"}
            mechanic = server.call("POST", "/api/mechanics/", body, token=admin).json["mechanic"]["id"]
            ids = [book(server).json["bookingId"] for _ in range(20)]
            confirm = {"status": "confirmed", "mechanicId": mechanic}

            def race(n, ids=ids, number=number, confirm=confirm):
                """Half of them confirm, half send one key."""
                if n < 20:
                    return server.call("PUT", f"/api/booking/{ids[n]}", confirm, token=admin).status
                return book(server, headers={"Idempotency-Key": str(number)}).json["bookingId"], "booked"

            answers = Counter(at_once(40, race))
            assert (answers.pop(200), answers.pop(409)) == (5, 15)
            assert list(answers.values()) == [20]
        check_database(server.environ["DB_PATH"])
    tell("races", rounds=rounds, requests=rounds * 40)


def test_first_starts_of_eight_workers_make_one_schema(tmp_path):
    for number in range(10):
        folder = tmp_path / str(number)
        folder.mkdir()
        with running(folder, WEB_CONCURRENCY="8") as server:
            assert {answer.status for answer in at_once(16, lambda n: book(server, str(n)))} == {201}
            assert "cannot make" not in server.log.read_text()
    tell("first starts of 8 workers", starts=10, refused=0)


@pytest.mark.parametrize("proxies", [0, 1, 2])
def test_the_limit_is_exact_in_redis_behind_every_number_of_proxies(tmp_path, redis, proxies):
    environ = {"RATE_LIMIT": f"{limits.LIMIT} per hour", "TRUSTED_PROXIES": str(proxies), "WEB_CONCURRENCY": "4"}
    with running(tmp_path, **environ, RATE_LIMIT_STORAGE=redis.uri) as server:
        limits.check_exact(server, proxies)
    tell(f"limit in Redis behind {proxies} proxies", let_through=2 * limits.LIMIT, more=0)


def test_a_million_addresses_leave_a_small_file(tmp_path, clock):
    seen = limit_storage.flood(tmp_path, clock, addresses=1_000_000, days=20)
    assert seen["bytes"] < 6_000_000
    tell("limits of a million addresses", **seen)


def test_slow_clients_for_half_a_minute(tmp_path):
    text = slow.request("POST", "/api/contact/", slow.json.dumps(slow.CONTACT).encode())
    with running(tmp_path) as server, slow.Dripping(server, 200, text, sent=5) as dripping:
        took = slow.others_are_answered(server, 30)
        assert max(took) < slow.PROMPT
        assert dripping.finish() == [201] * 200
    tell("200 clients of a byte a second", others_answered=len(took), slowest_ms=round(max(took) * 1000))


def test_hostile_input_with_many_examples(tmp_path):
    """The battery of every run, with 60 times its examples."""
    environ = {**os.environ, "HOSTILE_EXAMPLES": "1500"}
    command = [sys.executable, "-m", "pytest", "-q", "tests/server/test_hostile_input.py"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-5000:]
    tell("hostile input", examples="1500 a battery", result=done.stdout.strip().splitlines()[-1])
