"""The rate limit is exact: over workers, reloads, addresses and proxies, in a file or in Redis. Broken, it is a 503."""

import fcntl
import hashlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
import warnings
from collections import Counter
from itertools import count, islice
from types import SimpleNamespace

import pytest
from limits.errors import StorageError

from mechtech.web.limit_storage import BUCKETS, HEADER, MAGIC, SLOT, SLOTS, FileStorage
from tests.conftest import CONTACT
from tests.forks import forks
from tests.gunicorn_server import Server, call, free_port
from tests.tools import at_once, check_refusal, running, settings, wait_until

LIMIT = 40
BUCKET = SLOTS * SLOT.size
SIZE = HEADER + BUCKETS * BUCKET  # bytes, at most
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
    with running(tmp_path, RATE_LIMIT=f"{LIMIT} per hour") as server:
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


def test_a_file_that_finds_no_room_is_an_error_and_no_count(storage):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (HEADER, hard))
    try:
        with pytest.raises(StorageError):
            storage.incr("a", 60)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert storage.incr("a", 60) == 1


def open_storage(path) -> FileStorage:
    return FileStorage(f"file://{path}", wrap_exceptions=True)


@pytest.fixture
def storage(tmp_path):
    return open_storage(tmp_path / "hits")


@pytest.fixture
def clock(monkeypatch):
    """clock.now: seconds since 1970, which tests move on."""
    clock = SimpleNamespace(now=1_800_000_000.0)
    monkeypatch.setattr(time, "time", lambda: clock.now)
    return clock


def flood(folder, clock, addresses: int, days: float) -> dict:
    """So many new addresses spread over so many days of windows of an hour; how large did the file become?"""
    storage = open_storage(folder / "hits")
    started = time.perf_counter()
    for number in range(addresses):
        clock.now += days * 86_400 / addresses
        assert storage.incr(f"LIMITER/10.{number}/api", 3600) == 1
    took = time.perf_counter() - started
    return {"addresses": addresses, "bytes": (folder / "hits").stat().st_size, "seconds": round(took, 1)}


def test_the_storage_never_grows(tmp_path, clock):
    """Most windows are long over, and their room is taken by others."""
    assert flood(tmp_path, clock, addresses=40_000, days=1)["bytes"] <= SIZE


def place(path, name: str) -> tuple[bytes, int]:
    """The name's hash, and where its bucket begins."""
    with path.open("rb") as file:
        salt = file.read(HEADER)[len(MAGIC) :]
    hashed = hashlib.blake2b(name.encode(), digest_size=8, key=salt).digest()
    return hashed, HEADER + int.from_bytes(hashed[:4]) % BUCKETS * BUCKET


def test_of_a_full_bucket_the_lowest_count_is_forgotten_first(storage, tmp_path, clock):
    storage.check()
    path = tmp_path / "hits"
    storage.incr("first", 60)
    bucket = place(path, "first")[1]
    of_one_bucket = (str(number) for number in count() if place(path, str(number))[1] == bucket)
    *names, one_too_many = islice(of_one_bucket, SLOTS)
    for name in names:
        assert [storage.incr(name, 60) for _ in range(2)] == [1, 2]
    assert storage.incr(one_too_many, 60) == 1
    assert storage.get("first") == 0
    assert {storage.get(name) for name in names} == {2}


def test_nobody_can_know_which_bucket_a_name_falls_into(tmp_path):
    places = set()
    for number in range(8):
        storage = open_storage(tmp_path / str(number))
        storage.incr("a", 60)
        places.add(place(tmp_path / str(number), "a"))
    assert len(places) == 8


def test_what_looks_like_a_slot_but_is_none_is_passed_over(storage, tmp_path):
    """The count and the end of one window are the hash of another, by chance."""
    storage.incr("another", 60)
    hashed, bucket = place(tmp_path / "hits", "a")
    with open(tmp_path / "hits", "r+b") as file:
        file.seek(bucket + 8)
        file.write(hashed)
    assert [storage.incr("a", 60) for _ in range(2)] == [1, 2]


def test_a_storage_that_fails_raises_until_the_cause_is_gone(storage, tmp_path):
    storage.incr("a", 60)
    (tmp_path / "hits").rename(tmp_path / "aside")
    (tmp_path / "hits").mkdir()
    time.sleep(1)  # the file is opened anew each second
    for _ in range(2):
        with pytest.raises(StorageError):
            storage.incr("a", 60)
    (tmp_path / "hits").rmdir()
    (tmp_path / "aside").rename(tmp_path / "hits")
    assert storage.incr("a", 60) == 2


def test_a_clock_that_was_years_ahead_locks_nobody_out(storage, clock):
    clock.now += 10 * 365 * 86_400
    assert [storage.incr("a", 60) for _ in range(2)] == [1, 2]
    clock.now -= 10 * 365 * 86_400
    assert storage.incr("a", 60) == 1


def test_a_clock_that_goes_back_a_little_forgets_nothing(storage, clock):
    assert storage.incr("a", 60) == 1
    clock.now -= 30
    assert storage.incr("a", 60) == 2


@pytest.mark.parametrize("head", [b"", bytes(100)])
def test_a_file_that_is_empty_yet_is_begun(tmp_path, head):
    (tmp_path / "hits").write_bytes(head)
    assert open_storage(tmp_path / "hits").incr("a", 60) == 1


def test_nobody_else_may_open_the_file(storage, tmp_path):
    """Whoever may read it could hold its lock."""
    storage.check()
    assert (tmp_path / "hits").stat().st_mode & 0o777 == 0o600


def test_threads_and_processes_count_each_hit_once(tmp_path):
    processes = [forks().Process(target=hit, args=(tmp_path / "hits",)) for _ in range(3)]
    for process in processes:
        process.start()
    storage = open_storage(tmp_path / "hits")
    at_once(4, lambda _: [storage.incr("a", 3600) for _ in range(500)])
    for process in processes:
        process.join(60)
    assert storage.get("a") == 3 * 1000 + 4 * 500
    assert {storage.get(f"b{number}") for number in range(1000)} == {3}


def hit(path):
    storage = open_storage(path)
    for number in range(1000):
        storage.incr("a", 3600)
        storage.incr(f"b{number}", 3600)


def test_a_count_waits_for_whoever_counts_already(storage, tmp_path):
    storage.incr("a", 3600)
    counts = []
    with open(tmp_path / "hits") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        thread = threading.Thread(target=lambda: counts.append(storage.incr("a", 3600)))
        thread.start()
        thread.join(0.2)
        assert not counts
    thread.join()
    assert counts == [2]


def test_a_window_that_is_over_begins_anew(storage, clock):
    assert [storage.incr("a", 60) for _ in range(3)] == [1, 2, 3]
    clock.now += 59
    assert storage.incr("a", 60) == 4
    clock.now += 1
    assert storage.get("a") == 0
    assert storage.incr("a", 60) == 1


def test_a_count_is_cleared_alone_or_with_all(storage):
    for name in "ab":
        storage.incr(name, 60)
    storage.clear("a")
    assert (storage.get("a"), storage.get("b")) == (0, 1)
    storage.reset()
    assert storage.get("b") == 0
    assert storage.check()


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
