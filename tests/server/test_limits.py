"""The rate limit is exact: over workers, reloads, addresses and proxies, in a file or in Redis. Broken, it is a 503."""

import os
import shutil
import signal
import socket
import subprocess
import time
import warnings
from collections import Counter

import pytest

from tests.conftest import CONTACT
from tests.gunicorn_server import Server, call, free_port
from tests.tools import at_once, check_refusal, running, settings, wait_until
from tests.unit.test_limit_storage import SIZE

LIMIT = 40
FORGED = "6.6.6.6"


class Redis:
    """A redis-server of the test's own, that keeps nothing on disk."""

    def __init__(self):
        self.port = free_port()
        self.uri = f"redis://127.0.0.1:{self.port}/0"
        self.process = None

    def start(self):
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        ping = ["redis-cli", "-p", str(self.port), "ping"]
        wait_until(lambda: subprocess.run(ping, capture_output=True).stdout == b"PONG\n")

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def redis():
    if not shutil.which("redis-server"):
        warnings.warn("redis-server is not installed: the limits are tested in a file only", stacklevel=1)
        pytest.skip("redis-server is not installed")
    redis = Redis()
    redis.start()
    yield redis
    redis.stop()


def ask(server, proxies: int, client: int):
    """One request of the client with this number, through so many proxies, with a forged address in front."""
    hops = [f"10.0.0.{client}", "10.9.9.9"]  # the client, as the first proxy sees it, and that one, as the second does
    named = [FORGED, *hops[:proxies]] if proxies else [FORGED]
    connection = server.connect()
    if not proxies:
        connection.source_address = (f"127.0.0.{client}", 0)
    headers = {"X-Forwarded-For": ", ".join(named), "X-Real-IP": FORGED, "Forwarded": f"for={FORGED}"}
    try:
        return call(connection, "GET", "/api/mechanics/", headers=headers)
    finally:
        connection.close()


def check_exact(server: Server, proxies: int):
    """Two clients mix, all at once, before and after a reload and a restart: each gets exactly the limit."""
    passed, left = Counter(), {1: set(), 2: set()}

    def burst(requests):
        for number, answer in enumerate(at_once(requests, lambda n: ask(server, proxies, n % 2 + 1))):
            client = number % 2 + 1
            if answer.status == 200:
                passed[client] += 1
                left[client].add(int(answer.headers["X-RateLimit-Remaining"]))
            else:
                assert answer.status == 429
                check_refusal(429, answer.headers, answer.json)
                assert 1 <= int(answer.headers["Retry-After"]) <= 3600

    burst(24)
    before = server.workers()
    server.signal(signal.SIGHUP)
    burst(24)  # while workers come and go
    wait_until(lambda: not set(before) & set(server.workers()))
    burst(10)
    assert passed == {1: 29, 2: 29}
    server.kill()
    server.start()
    burst(60)
    assert passed == {1: LIMIT, 2: LIMIT}
    assert left == {1: set(range(LIMIT)), 2: set(range(LIMIT))}, "each was told another number"
    assert ask(server, proxies, 3).status == 200


@pytest.mark.parametrize("proxies", [pytest.param(0, marks=pytest.mark.soak), 1, 2])
def test_the_limit_is_exact_for_mixed_addresses_over_reload_and_restart(tmp_path, proxies):
    environ = {"RATE_LIMIT": f"{LIMIT} per hour", "TRUSTED_PROXIES": str(proxies), "WEB_CONCURRENCY": "4"}
    with running(tmp_path, **environ) as server:
        check_exact(server, proxies)


def test_the_limit_is_exact_in_redis(tmp_path, redis):
    environ = {"RATE_LIMIT": f"{LIMIT} per hour", "TRUSTED_PROXIES": "1", "WEB_CONCURRENCY": "4"}
    with running(tmp_path, **environ, RATE_LIMIT_STORAGE=redis.uri) as server:
        check_exact(server, 1)
        assert not (tmp_path / "test.db.hits").exists()
        redis.stop()
        answer = server.call("GET", "/api/mechanics/")
        check_unavailable(answer)
        health = server.call("GET", "/health")
        assert (health.status, health.json["limits"], health.json["database"]) == (503, "error", "ok")
        redis.start()
        wait_until(lambda: server.call("GET", "/api/mechanics/").status == 200, 5)


def check_unavailable(answer):
    assert answer.status == 503
    check_refusal(503, answer.headers, answer.json)
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_broken_storage_lets_nothing_through_and_heals(tmp_path):
    hits = tmp_path / "test.db.hits"
    with running(tmp_path, RATE_LIMIT=f"{LIMIT} per hour") as server:
        assert server.call("POST", "/api/contact/", CONTACT).status == 201
        aside = hits.rename(tmp_path / "aside")
        hits.write_bytes(os.urandom(50_000))
        time.sleep(1)  # the file is opened anew each second
        for answer in at_once(8, lambda n: server.call("POST", "/api/contact/", CONTACT)):
            check_unavailable(answer)
        login = {"email": "some@example.com", "password": "password123"}
        check_unavailable(server.call("POST", "/api/auth/login", login))
        aside.rename(hits)
        answer = wait_until(lambda: (a := server.call("POST", "/api/contact/", CONTACT)).status == 201 and a, 5)
        assert answer.json["id"] == 2, "one of those that were refused was stored"
        # It goes on counting from where it was.
        assert int(answer.headers["X-RateLimit-Remaining"]) <= LIMIT - 2


def test_a_file_that_is_removed_or_cut_short_is_made_anew(tmp_path):
    hits = tmp_path / "test.db.hits"
    with running(tmp_path, RATE_LIMIT="1000 per hour") as server:  # a worker counts in the old file for a second more
        for spoil in (hits.unlink, lambda: os.truncate(hits, 0), lambda: os.truncate(hits, 100_000)):
            assert server.call("GET", "/api/mechanics/").status == 200
            spoil()
            wait_until(lambda: answers(server) and hits.exists(), 10)
            assert hits.stat().st_size <= SIZE


def answers(server) -> bool:
    try:
        return all(server.call("GET", "/api/mechanics/").status == 200 for _ in range(8))
    except OSError:
        return False


def test_a_redis_that_takes_connections_and_never_answers_is_503_within_seconds(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        with Server(settings(tmp_path), tmp_path / "server.log") as server:
            server.stop()
            server.environ["RATE_LIMIT_STORAGE"] = uri
            server.start(wait=False)
            wait_until(lambda: server.log.read_text().count("MechTECH listens on") == 2)
            started = time.monotonic()
            check_unavailable(server.call("GET", "/api/mechanics/"))
            answer = server.call("GET", "/health")
            assert (answer.status, answer.json["limits"], answer.json["database"]) == (503, "error", "ok")
            assert time.monotonic() - started < 10
