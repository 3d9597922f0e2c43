"""The rate limit is exact: over workers, reloads, addresses and proxies, in a file or in Redis. Broken, it is a 503."""

import os
import shutil
import signal
import subprocess
import time
import warnings
from collections import Counter

import pytest

from mechtech import rate_limit
from mechtech.limit_storage import SQLiteStorage
from tests.conftest import CONTACT
from tests.hardening.tools import at_once, check_refusal, running, wait_until
from tests.server import Server, call, free_port

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

    def burst(count):
        for number, answer in enumerate(at_once(count, lambda n: ask(server, proxies, n % 2 + 1))):
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
        assert not (tmp_path / "test.db.limits").exists()
        redis.stop()
        answer = server.call("GET", "/api/mechanics/")
        check_unavailable(answer)
        assert server.call("GET", "/health").status == 200, "it looks at the database only"
        redis.start()
        wait_until(lambda: server.call("GET", "/api/mechanics/").status == 200, 5)


def check_unavailable(answer):
    assert answer.status == 503
    check_refusal(503, answer.headers, answer.json)
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_broken_storage_lets_nothing_through_and_heals(tmp_path):
    limits = tmp_path / "test.db.limits"
    with running(tmp_path, RATE_LIMIT=f"{LIMIT} per hour") as server:
        assert server.call("POST", "/api/contact/", CONTACT).status == 201
        aside = limits.rename(tmp_path / "aside")
        limits.write_bytes(os.urandom(50_000))
        for answer in at_once(8, lambda n: server.call("POST", "/api/contact/", CONTACT)):
            check_unavailable(answer)
        login = {"email": "some@example.com", "password": "password123"}
        check_unavailable(server.call("POST", "/api/auth/login", login))
        aside.rename(limits)
        answer = wait_until(lambda: (a := server.call("POST", "/api/contact/", CONTACT)).status == 201 and a, 5)
        assert answer.json["id"] == 2, "one of those that were refused was stored"
        # It goes on counting from where it was.
        assert int(answer.headers["X-RateLimit-Remaining"]) <= LIMIT - 2


def flood(folder, monkeypatch, addresses: int, days: int) -> dict:
    """So many new addresses spread over so many days of windows of an hour; how large did the file become?"""
    storage = SQLiteStorage(f"sqlite:{folder}/limits", wrap_exceptions=True)
    clock, step = time.time(), days * 86_400 / addresses
    largest = started = 0
    monkeypatch.setattr(rate_limit.time, "time", lambda: clock)
    started = time.perf_counter()
    for number in range(addresses):
        clock += step
        assert storage.incr(f"LIMITER/10.{number}/api", 3600) == 1
        if number % 5000 == 0:
            largest = max(largest, (folder / "limits").stat().st_size + (folder / "limits-wal").stat().st_size)
    took = time.perf_counter() - started
    kept = storage._db.one("SELECT COUNT(*) AS count FROM hits")["count"]
    current = storage._db.one("SELECT COUNT(*) AS count FROM hits WHERE expires_at > ?", (int(clock),))["count"]
    return {"addresses": addresses, "kept": kept, "current": current, "bytes": largest, "seconds": round(took, 1)}


def test_the_storage_stays_small_after_many_addresses(tmp_path, monkeypatch):
    """Most windows are long over: what is kept is what counts, and a part of it again."""
    seen = flood(tmp_path, monkeypatch, addresses=50_000, days=1)
    assert seen["current"] == pytest.approx(50_000 / 24, rel=0.01)
    assert seen["kept"] < 1.5 * seen["current"], seen
    assert seen["bytes"] < 6_000_000, seen


def test_a_window_that_is_over_begins_anew(tmp_path, monkeypatch):
    storage = SQLiteStorage(f"sqlite:{tmp_path}/limits", wrap_exceptions=True)
    clock = 1_800_000_000.0
    monkeypatch.setattr(rate_limit.time, "time", lambda: clock)
    assert [storage.incr("a", 60) for _ in range(3)] == [1, 2, 3]
    clock += 59
    assert storage.incr("a", 60) == 4
    clock += 1
    assert storage.get("a") == 0
    assert storage.incr("a", 60) == 1
