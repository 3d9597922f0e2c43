"""A sick database is a clear answer: 503, nothing half-written, health says so, and well again once the cause is gone.

Each ailment is a context manager: the database is sick within, and cured after it. The service is never restarted.
"""

import contextlib
import os
import resource
import signal
import sqlite3
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import pytest

from tests.commands import flask, succeeded
from tests.gunicorn_server import Server
from tests.tools import (
    all_workers_up,
    at_once,
    book,
    check_database,
    check_refusal,
    running,
    settings,
    sql,
    wait_until,
)

pytestmark = pytest.mark.sqlite  # its statements are SQLite's own

CLIENTS = 8


def can(*command) -> bool:
    """Does the command work here? Some ailments need a root that may mount, or set a file's attributes."""
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0


CAN_MOUNT = can("unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt")


@contextmanager
def replaced_by_garbage(server, path):
    """By a rename, as a copy that went wrong would."""
    path.with_suffix(".new").write_bytes(os.urandom(100_000))
    path.rename(path.with_suffix(".aside"))
    path.with_suffix(".new").rename(path)
    yield
    path.with_suffix(".aside").rename(path)


@contextmanager
def replaced_by_another_database(server, path):
    other = path.with_suffix(".other")
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE bookings (id INTEGER PRIMARY KEY)")
    path.rename(path.with_suffix(".aside"))
    other.rename(path)
    yield
    path.with_suffix(".aside").rename(path)


@contextmanager
def overwritten_by_garbage(server, path):
    """In place: the file is the same, its content is not."""
    with overwritten(path, os.urandom(path.stat().st_size)):
        yield


@contextmanager
def removed(server, path):
    path.rename(path.with_suffix(".aside"))
    yield
    path.with_suffix(".aside").rename(path)


@contextmanager
def truncated_to_nothing(server, path):
    with overwritten(path, b""):
        yield


@contextmanager
def truncated_by_half(server, path):
    with overwritten(path, path.read_bytes()[: path.stat().st_size // 2]):
        yield


@contextmanager
def overwritten(path, content: bytes):
    good = path.read_bytes()
    put(path, content)
    yield
    put(path, good)


def put(path, content: bytes):
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()


@contextmanager
def no_file_may_grow(server, path):
    """As on a full disk: every write of the workers fails."""
    workers = wait_until(lambda: len(server.workers()) == 2 and server.workers())
    for pid in workers:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    yield
    for pid in workers:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextmanager
def immutable(server, path):
    files = [str(path), f"{path}-wal"]
    subprocess.run(["chattr", "+i", *files], check=True)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", *files], check=True)


OF_THE_FILE = [replaced_by_garbage, replaced_by_another_database, removed, truncated_to_nothing]
AILMENTS = [
    replaced_by_garbage,
    replaced_by_another_database,
    overwritten_by_garbage,
    removed,
    truncated_to_nothing,
    no_file_may_grow,
]
with tempfile.NamedTemporaryFile() as probe:
    if can("chattr", "+i", probe.name) and can("chattr", "-i", probe.name):
        AILMENTS.append(immutable)


@pytest.fixture
def server(tmp_path):
    with running(tmp_path) as server:
        server.acknowledged = set()
        all_workers_up(server)
        yield server


def booked(server, mark: str) -> int:
    """The status; an acknowledged booking is remembered."""
    answer = book(server, mark)
    if answer.status == 201:
        server.acknowledged.add((answer.json["bookingId"], mark))
    else:
        check_refusal(answer.status, answer.headers, answer.json)
        assert answer.headers["Retry-After"].isdigit()
    return answer.status


def healthy(server) -> bool:
    answer = server.call("GET", "/health")
    assert (answer.status, answer.json["status"]) in ((200, "OK"), (503, "ERROR")), answer
    assert ({answer.json["database"], answer.json["limits"]} == {"ok"}) == (answer.status == 200)
    return answer.status == 200


def check_well(server, mark: str):
    """In every worker at once; all that was acknowledged is there, and nothing else."""
    wait_until(lambda: all(at_once(CLIENTS, lambda number: healthy(server))), 5)
    assert at_once(CLIENTS, lambda number: booked(server, f"{mark} after {number}")) == [201] * CLIENTS
    path = server.environ["DB_PATH"]
    check_database(path)
    assert set(sql(path, "SELECT id, description FROM bookings")) == server.acknowledged


@pytest.mark.parametrize("ailment", AILMENTS, ids=lambda ailment: ailment.__name__)
def test_a_sick_database_is_503_and_well_again_by_itself(server, ailment):
    """A worker that starts meanwhile harms nothing."""
    name, path = ailment.__name__, Path(server.environ["DB_PATH"])
    sql(path, "PRAGMA wal_checkpoint")  # what comes before is in the file itself, what comes after beside it
    assert at_once(CLIENTS, lambda number: booked(server, f"{name} before {number}")) == [201] * CLIENTS
    with ailment(server, path):
        assert at_once(CLIENTS, lambda number: booked(server, f"{name} sick {number}")) == [503] * CLIENTS
        # A disk that took a write a moment ago is believed for a second.
        wait_until(lambda: not any(at_once(CLIENTS, lambda number: healthy(server))), 3)
        if ailment in OF_THE_FILE:
            killed = server.workers()[0]
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: killed not in server.workers())
            all_workers_up(server)
            assert at_once(CLIENTS, lambda number: booked(server, f"{name} started {number}")) == [503] * CLIENTS
    check_well(server, name)


def test_a_database_truncated_by_half_loses_nothing_that_was_acknowledged(server):
    """It need not be 503: what a request touches may still be there."""
    path = Path(server.environ["DB_PATH"])
    sql(path, "PRAGMA wal_checkpoint")
    with truncated_by_half(server, path):
        assert set(at_once(CLIENTS, lambda number: booked(server, f"half {number}"))) <= {201, 503}
    check_well(server, "half")


def test_health_alone_notices_a_sick_database(server):
    """Also where no request meets it first."""
    assert healthy(server)
    with no_file_may_grow(server, None):
        wait_until(lambda: not any(at_once(CLIENTS, lambda number: healthy(server))), 5)
    check_well(server, "health")


def test_a_database_locked_for_longer_than_the_busy_timeout_is_503_while_reads_go_on(server):
    path = server.environ["DB_PATH"]
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        other.execute("INSERT INTO contact_messages (fullName, email, message) VALUES ('', '', '')")
        started = time.monotonic()

        def meet_lock(number):
            if number < CLIENTS:
                return booked(server, f"locked {number}")
            if number == CLIENTS:
                return healthy(server)
            answer = server.call("GET", "/api/mechanics/")
            return answer.status, time.monotonic() - started < 4

        answers = at_once(CLIENTS + 5, meet_lock)
        took = time.monotonic() - started
        other.execute("ROLLBACK")
    assert answers[:CLIENTS] == [503] * CLIENTS
    assert answers[CLIENTS] is False
    assert answers[CLIENTS + 1 :] == [(200, True)] * 4
    assert 4 < took < 15, "neither at once nor never"
    check_well(server, "locked")


def test_a_lock_that_is_short_is_waited_for(server):
    path = server.environ["DB_PATH"]
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")

        def meet_lock(number):
            if number < CLIENTS:
                return booked(server, f"short lock {number}")
            time.sleep(1)
            other.execute("ROLLBACK")

        assert at_once(CLIENTS + 1, meet_lock) == [201] * CLIENTS + [None]
    check_well(server, "short lock")


@contextmanager
def small_disk(folder):
    """A disk of its own of two megabytes, where we may mount one."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def server_in(folder, log):
    server = Server(settings(folder, TRUSTED_PROXIES="1"), log)
    server.acknowledged = set()
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextmanager
def read_only(folder):
    if CAN_MOUNT:
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        yield
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
        return
    modes = {path: path.stat().st_mode for path in (folder, *folder.iterdir())}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    yield
    for path, mode in modes.items():
        path.chmod(mode)


@pytest.mark.skipif(os.geteuid() == 0 and not CAN_MOUNT, reason="here root may write to everything, but not mount")
def test_a_read_only_database_is_503_and_well_again_by_itself(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder) if CAN_MOUNT else nullcontext(), server_in(folder, tmp_path / "server.log") as server:
        assert booked(server, "before") == 201
        workers = server.workers()
        server.kill()
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
        with read_only(folder):
            server.start()
            assert at_once(CLIENTS, lambda number: booked(server, f"read-only {number}")) == [503] * CLIENTS
            assert at_once(CLIENTS, lambda number: healthy(server)) == [False] * CLIENTS
        check_well(server, "read-only")


@pytest.mark.skipif(not CAN_MOUNT, reason="only a root that may mount can make a small disk; see no_file_may_grow")
def test_a_full_disk_is_503_and_well_again_by_itself(tmp_path):
    """Bookings until the disk takes no more, and some beyond that. What reads is answered, also to new clients."""

    def read(number):
        return server.call("GET", "/api/mechanics/", headers={"X-Forwarded-For": f"10.0.0.{number}"}).status

    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder), server_in(folder, tmp_path / "server.log") as server:
        assert booked(server, "before") == 201
        with (folder / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(4096))
        wait_until(lambda: booked(server, f"full {time.monotonic()}") == 503, every=0)
        answers = [status for n in range(5) for status in at_once(CLIENTS, lambda i, n=n: booked(server, f"{n} {i}"))]
        assert set(answers) <= {201, 503}
        assert 503 in answers
        assert at_once(CLIENTS, read) == [200] * CLIENTS
        killed = server.workers()
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not set(killed) & set(server.workers()) and len(server.workers()) == 2)
        assert at_once(CLIENTS, lambda number: read(100 + number)) == [200] * CLIENTS
        succeeded(flask(server.environ, "accounts"))
        (folder / "filler").unlink()
        check_well(server, "full")


def test_a_database_that_replaces_the_running_one_is_refused_until_a_restart(server):
    """What was acknowledged would else be lost in silence: it is in the file that was there before."""
    path = Path(server.environ["DB_PATH"])
    assert booked(server, "before the backup") == 201
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(path.with_suffix(".new"))) as backup:
        source.backup(backup)
    kept = set(server.acknowledged)
    assert booked(server, "after the backup") == 201
    path.with_suffix(".new").rename(path)
    assert at_once(CLIENTS, lambda number: booked(server, f"replaced {number}")) == [503] * CLIENTS
    assert "was replaced: restart the service" in server.log.read_text()
    server.stop()
    for beside in ("-wal", "-shm"):  # of the file that was there before
        Path(f"{path}{beside}").unlink(missing_ok=True)
    server.start()
    server.acknowledged = kept
    check_well(server, "restarted")
