"""A backup beside a service that writes, a restore when it is stopped or killed, and a move to another machine."""

import signal
import sqlite3
import threading
import time
from contextlib import closing, suppress

import pytest

from tests.commands import failed, flask, succeeded
from tests.conftest import BOOKING
from tests.gunicorn_server import call
from tests.tools import book, check_database, running, sign_up, sql, wait_until

pytestmark = pytest.mark.sqlite  # PostgreSQL has programs of its own for it

RATE = 50  # bookings a second
ROWS = 60_000  # so many bookings that a backup takes some time


class Writer(threading.Thread):
    """Books RATE times a second until it is stopped. booked: the ids, with the time of each answer."""

    def __init__(self, server):
        super().__init__()
        self.server, self.booked, self.failed, self.over = server, [], [], threading.Event()

    def run(self):
        with closing(self.server.connect()) as connection:
            begun = time.monotonic()
            while not self.over.wait(max(0, begun + (len(self.booked) + 1) / RATE - time.monotonic())):
                answer = call(connection, "POST", "/api/booking/", BOOKING)
                if answer.status != 201:
                    self.failed.append(answer)
                    return
                self.booked.append((answer.json["bookingId"], time.monotonic()))

    def stop(self):
        self.over.set()
        self.join()


def fill(path, rows):
    """Put so many bookings there."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM bookings")
        connection.executemany(
            """
            INSERT INTO bookings (name, email, vehicle_type, vehicle_brand, vehicle_model, service_type, description)
            VALUES ('A', 'a@example.com', 'Car', 'B', 'C', 'Towing', ?)
            """,
            (("x" * 1000,) for _ in range(rows)),
        )


def test_a_backup_beside_fifty_bookings_a_second_is_whole_and_private_throughout(tmp_path):
    folder, seen = tmp_path / "backups", set()
    folder.mkdir()
    file = folder / "backup.db"
    with running(tmp_path) as server:
        fill(server.environ["DB_PATH"], ROWS)
        (writer := Writer(server)).start()
        while len(writer.booked) < RATE:
            time.sleep(0.01)
        begun, results = time.monotonic(), []
        command = threading.Thread(target=lambda: results.append(flask(server.environ, "backup", str(file))))
        command.start()
        running_still = True
        while running_still:
            running_still = command.is_alive()  # so that the last look is at what it left
            with suppress(FileNotFoundError):  # it was renamed meanwhile
                seen |= {(found.name, found.stat().st_mode & 0o777) for found in folder.glob("*[!l]")}
            time.sleep(0.001)
        ended = time.monotonic()
        writer.stop()
        succeeded(results[0])
        assert not writer.failed
        during = sum(begun < at < ended for _, at in writer.booked)
        assert during > 0.5 * RATE * (ended - begun)  # the machine may be busy with other tests
    check_database(file)
    ids = [id for (id,) in sql(file, "SELECT id FROM bookings ORDER BY id")]
    assert ids == list(range(ids[0], ids[-1] + 1))  # nothing is missing in between
    assert ids[-1] >= max(id for id, at in writer.booked if at < begun)
    assert seen == {(".unfinished-backup", 0o600), ("backup.db", 0o600)}
    assert [found.name for found in folder.iterdir()] == ["backup.db"]


def test_a_restore_is_refused_while_the_service_runs_and_possible_once_it_was_killed(tmp_path):
    file = str(tmp_path / "backup.db")
    with running(tmp_path) as server:
        path = server.environ["DB_PATH"]
        assert book(server, "before").status == 201
        succeeded(flask(server.environ, "backup", file))
        assert book(server, "after").status == 201
        assert "has the database open" in failed(flask(server.environ, "restore", file))
        server.signal(signal.SIGHUP)
        assert "has the database open" in failed(flask(server.environ, "restore", file))
        assert book(server, "later").status == 201
        server.kill()  # a worker may still be ending when its master has ended
        wait_until(lambda: flask(server.environ, "restore", file).returncode == 0)
        assert sql(path, "SELECT description FROM bookings") == [("before",)]
        assert sql(f"{path}.old-1", "SELECT description FROM bookings") == [("before",), ("after",), ("later",)]
        server.start()
        assert book(server, "new").status == 201
        assert server.stop() == 0
        succeeded(flask(server.environ, "restore", f"{path}.old-1"))
        assert len(sql(path, "SELECT description FROM bookings")) == 3


def profile(server, token) -> int:
    return server.call("GET", "/api/auth/profile", token=token).status


def test_a_restore_leaves_tokens_good_but_for_those_that_ended_after_the_backup(tmp_path):
    file = str(tmp_path / "backup.db")
    with running(tmp_path) as server:
        kept, ended = sign_up(server, "kept@example.com"), sign_up(server, "ended@example.com")
        succeeded(flask(server.environ, "backup", file))
        assert server.call("POST", "/api/auth/logout", token=ended).status == 200
        lost = sign_up(server, "lost@example.com")
        server.stop()
        succeeded(flask(server.environ, "restore", file))
        server.start()
        assert [profile(server, token) for token in (kept, ended, lost)] == [200, 401, 401]
        login = {"email": "ended@example.com", "password": "password123"}
        assert server.call("POST", "/api/auth/login", login).status == 200


def test_a_move_to_another_machine_signs_nobody_out(tmp_path):
    """What moves is the settings, with JWT_SECRET, and a backup."""
    file = str(tmp_path / "backup.db")
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    with running(tmp_path / "old") as server:
        token, booked = sign_up(server, "moved@example.com"), book(server).json
        server.stop()
        succeeded(flask(server.environ, "backup", file))
    new = {**server.environ, "DB_PATH": str(tmp_path / "new" / "test.db")}
    succeeded(flask(new, "restore", file))
    with running(tmp_path / "new") as server:
        assert profile(server, token) == 200
        answer = server.call("GET", f"/api/booking/{booked['bookingId']}", token=booked["bookingToken"])
        assert answer.status == 200
