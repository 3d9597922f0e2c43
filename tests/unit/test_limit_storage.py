"""The storage of the rate limit: a hash table in a file, exact over threads and processes."""

import fcntl
import hashlib
import resource
import threading
import time
from itertools import count, islice
from types import SimpleNamespace

import pytest
from limits.errors import StorageError

from mechtech.web.limit_storage import BUCKETS, HEADER, MAGIC, SIZE, SLOT, SLOTS, FileStorage
from tests.forks import forks
from tests.tools import at_once

BUCKET = SLOTS * SLOT.size


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


def test_the_room_on_the_disk_is_taken_with_the_first_count(storage, tmp_path):
    """A disk that is full later stops no counting, and so no request that only reads."""
    storage.incr("a", 60)
    assert (tmp_path / "hits").stat().st_blocks * 512 >= SIZE


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
