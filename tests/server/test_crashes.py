"""Nothing acknowledged is lost when processes die, and nothing is cut when they are told to stop or to reload."""

import http.client
import os
import random
import shutil
import signal
import time
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.conftest import BOOKING, CONTACT
from tests.gunicorn_server import ROOT, Server, call
from tests.tools import at_once, book, changed_conf, check_database, running, settings, sign_up, sql, wait_until

STOPPED = (OSError, http.client.HTTPException)


class Writer(Thread):
    """Books, cancels and writes messages until stopped or cut off; knows what was acknowledged, and what is open."""

    def __init__(self, server, name):
        super().__init__()
        self.server, self.mark = server, name
        self.stopping = Event()
        self.bookings = {}  # mark → the answer
        self.cancelled = []
        self.messages = {}
        self.open = None  # the request that got no answer
        self.start()

    def run(self):
        connection = self.server.connect()
        try:
            number = 0
            while not self.stopping.is_set():
                number += 1
                self.write(connection, f"{self.mark}-{number}", cancel=number % 3 == 0)
        except STOPPED:
            pass
        finally:
            connection.close()

    def write(self, connection, mark, cancel=False):
        made = self.post(connection, "/api/booking/", {**BOOKING, "description": mark}, mark)
        self.bookings[mark] = made
        if cancel:
            path = f"/api/booking/{made['id']}"
            answer = call(connection, "DELETE", path, token=made["bookingToken"])
            assert answer.status == 200, answer.body
            self.cancelled.append(made["bookingId"])
            made = self.post(connection, "/api/contact/", {**CONTACT, "message": f"A message: {mark}"}, mark)
            self.messages[mark] = made["id"]

    def post(self, connection, path, body, mark):
        self.open = path, body, mark
        answer = call(connection, "POST", path, body, headers={"Idempotency-Key": mark})
        assert answer.status == 201, answer.body
        self.open = None
        return answer.json

    def repeat(self):
        """The request that got no answer, once more: as a client does after the crash."""
        if self.open:
            path, body, mark = self.open
            made = self.post(self.server.connect(), path, body, mark)
            if "bookingId" in made:
                self.bookings[mark] = made
            else:
                self.messages[mark] = made["id"]


def crash(folder, rounds: int, writers: int = 6, seed: int = 1) -> dict:
    """Rounds of writing, each ended by SIGKILL to all processes at a random moment; then all is there and whole."""
    chance = random.Random(seed)
    past, open_requests = [], 0
    with running(folder) as server:
        for number in range(rounds):
            highest = sql(server.environ["DB_PATH"], "SELECT COALESCE(MAX(id), 0) FROM bookings")[0][0]
            present = [Writer(server, f"{number}-{writer}") for writer in range(writers)]
            wait_until(lambda present=present: any(writer.bookings for writer in present))
            time.sleep(chance.uniform(0, 0.4))
            server.kill()
            for writer in present:
                writer.join()
            server.start()
            for writer in present:
                open_requests += writer.open is not None
                writer.repeat()
            # Numbering goes on: no number is given twice.
            assert all(made["bookingId"] > highest for writer in present for made in writer.bookings.values())
            past += present
            check_acknowledged(server.environ["DB_PATH"], past)
    counts = {"rounds": rounds, "repeated": open_requests}
    counts["bookings"] = sum(len(writer.bookings) for writer in past)
    return counts


def check_acknowledged(path, writers):
    check_database(path)
    columns = "id, name, email, phone, vehicle_type, vehicle_brand, vehicle_model, service_type, location, status"
    found = sql(path, f"SELECT description, {columns} FROM bookings")
    assert len(found) == len({row[0] for row in found}), "a request made two bookings"
    whole = [BOOKING[name] for name in ("name", "email", "phone", "vehicleType", "brand", "model", "service_type")]
    cancelled = {booking_id for writer in writers for booking_id in writer.cancelled}
    kept = {row[0]: row[1:] for row in found}
    for writer in writers:
        for mark, made in writer.bookings.items():
            booking_id, *fields, location, status = kept.pop(mark)
            assert (booking_id, fields, location) == (made["bookingId"], whole, BOOKING["location"])
            # A cancellation that got no answer may be there or not.
            assert status == "cancelled" if booking_id in cancelled else status in ("pending", "cancelled")
    assert kept == {}, "bookings that no client knows of"
    messages = sql(path, "SELECT message, id FROM contact_messages")
    assert sorted(messages) == sorted(
        (f"A message: {mark}", message_id) for writer in writers for mark, message_id in writer.messages.items()
    )


def test_sigkill_of_all_processes_loses_nothing_that_was_acknowledged(tmp_path):
    counts = crash(tmp_path, rounds=3)
    assert counts["bookings"] > 20
    assert counts["repeated"] > 0


class Load:
    """Clients that call without a pause until stopped, on kept-alive connections and on new ones."""

    def __init__(self, server, clients: int = 6):
        self.server = server
        self.stopping = Event()
        self.answered = []  # marks
        self.failed = []  # (its mark, what)
        self.threads = [Thread(target=self.run, args=(number,)) for number in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        wait_until(lambda: len(self.answered) > 20)
        return self

    def __exit__(self, *exc):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def run(self, client):
        connection = self.server.connect()
        number = 0
        while not self.stopping.is_set():
            number += 1
            mark = f"{client}-{number}"
            try:
                self.one(connection, mark)
            except STOPPED as error:
                self.failed.append((mark, repr(error)))
                connection.close()
                if isinstance(error, ConnectionRefusedError):
                    break
            if client % 2:
                connection.close()  # it opens again by itself
        connection.close()

    def one(self, connection, mark):
        body = {**BOOKING, "description": mark}
        answer = call(connection, "POST", "/api/booking/", body, headers={"X-Request-ID": mark})
        if answer.status == 201:
            self.answered.append(mark)
        else:
            self.failed.append((mark, answer))


def replaced(server, before, count: int = 2) -> bool:
    """Is none of the old workers left, and are all of the new ones there?"""
    now = set(server.workers())
    return len(now) == count and not now & set(before)


def accepted(server) -> set[int]:
    """The ports of clients whose connections a worker has taken: only those have a file there."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = f":{server.port:04X}"
    return {int(row[2].split(":")[1], 16) for row in rows if row[1].endswith(ours) and row[9] != "0"}


def test_sigterm_lets_every_accepted_request_finish(tmp_path):
    """Under load, with a request half sent and logins whose hash takes its time."""
    with running(tmp_path, BCRYPT_ROUNDS="10") as server:
        sign_up(server, "slow@example.com")
        login = {"email": "slow@example.com", "password": "password123"}
        logins = [server.connect() for _ in range(6)]
        for connection in logins:
            connection.connect()
        half = server.connect()
        body = b'{"fullName": "Half Sent", "email": "half@example.com", "message": "The rest comes later."}'
        with Load(server) as load:
            half.putrequest("POST", "/api/contact/")
            half.putheader("Content-Type", "application/json")
            half.putheader("Content-Length", str(len(body)))
            half.endheaders(body[:20])
            results = []
            threads = [
                Thread(target=lambda c=connection: results.append(call(c, "POST", "/api/auth/login", login)))
                for connection in logins
            ]
            for thread in threads:
                thread.start()
            sent = {each.sock.getsockname()[1] for each in (half, *logins)}
            wait_until(lambda: sent <= accepted(server))
            server.signal(signal.SIGTERM)
            time.sleep(0.5)
            half.send(body[20:])
            assert half.getresponse().status == 201
            half.close()
            for thread in threads:
                thread.join()
            assert server.process.wait(20) == 0
        assert [answer.status for answer in results] == [200] * 6
        # Whatever a worker took on got its answer: no booking, and no line of the log, without one.
        booked = {mark for (mark,) in sql(tmp_path / "test.db", "SELECT description FROM bookings")}
        assert booked == set(load.answered)
        lines = [line for line in server.log.read_text().splitlines() if "POST /api/booking/" in line]
        assert {line.split("id=")[1].split()[0] for line in lines} == set(load.answered)
        # Whoever came later was turned away at the door.
        assert all("Connection" in what or "Disconnected" in what for _, what in load.failed), load.failed


def test_sighup_takes_new_code_and_new_settings_and_fails_no_request(tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    for name in ("mechtech", "wsgi.py", "gunicorn.conf.py", "schema.sql"):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, project / name)
    environ = settings(tmp_path)
    del environ["RATE_LIMIT"], environ["WEB_CONCURRENCY"]
    (project / ".env").write_text("RATE_LIMIT=1000000 per hour\nWEB_CONCURRENCY=2\n")
    with Server(environ, tmp_path / "server.log", root=project) as server:
        with Load(server) as load:
            before = server.workers()
            (project / ".env").write_text("RATE_LIMIT=2000000 per hour\nWEB_CONCURRENCY=3\n")
            (project / "mechtech" / "version.py").write_text('VERSION = "99.0.0"\n')
            server.signal(signal.SIGHUP)
            wait_until(lambda: replaced(server, before, 3))
            answered = len(load.answered)
            wait_until(lambda: len(load.answered) > answered + 20)
        assert load.failed == []
        assert server.call("GET", "/health").json["version"] == "99.0.0"
        assert server.call("GET", "/api/mechanics/").headers["X-RateLimit-Limit"] == "2000000"
        assert len(sql(tmp_path / "test.db", "SELECT 1 FROM bookings")) == len(load.answered)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_that_ends_is_replaced_and_only_what_it_had_in_hand_fails(tmp_path, number):
    """Told to end, it fails nothing. Killed, it takes the connections that it had with it, and no more."""
    with running(tmp_path) as server, Load(server) as load:
        before = server.workers()
        os.kill(before[0], number)
        wait_until(lambda: before[0] not in server.workers() and len(server.workers()) == 2)
        answered = len(load.answered)
        wait_until(lambda: len(load.answered) > answered + 20)
    cut_off = [mark.partition("-")[0] for mark, _ in load.failed]
    assert len(set(cut_off)) == len(cut_off), "a client failed twice"
    assert number == signal.SIGKILL or not cut_off, load.failed
    booked = {mark for (mark,) in sql(tmp_path / "test.db", "SELECT description FROM bookings")}
    assert set(load.answered) <= booked <= set(load.answered) | {mark for mark, _ in load.failed}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_workers_that_are_about_to_begin_keep_nobody_waiting_who_stops_the_service(tmp_path, number):
    """The processor is with others as soon as they are forked."""
    late = changed_conf(tmp_path, "import time\ndef post_fork(server, worker):\n    time.sleep(60)\n")
    server = Server(settings(tmp_path), tmp_path / "server.log", *late)
    try:
        server.start(wait=False)
        wait_until(lambda: len(server.workers()) == 2)
        server.signal(number)
        assert server.process.wait(20) == 0
    finally:
        server.kill()


def test_a_kept_alive_client_is_answered_through_a_reload(tmp_path):
    with running(tmp_path) as server:
        connections = [server.connect() for _ in range(20)]
        for connection in connections:
            assert call(connection, "GET", "/health").status == 200
        before = server.workers()
        server.signal(signal.SIGHUP)
        # Before, during and after the change, at every moment of which a worker may be about to go.
        while not replaced(server, before):
            for connection in connections:
                assert call(connection, "GET", "/api/mechanics/").status == 200
        assert {answer.status for answer in at_once(8, lambda n: book(server, str(n)))} == {201}
