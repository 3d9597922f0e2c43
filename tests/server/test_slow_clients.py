"""Many clients and slow ones do not stop the others, without a proxy in front."""

import json
import os
import re
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.conftest import BOOKING, CONTACT
from tests.gunicorn_server import Server, call
from tests.tools import at_once, changed_conf, check_refusal, running, settings, wait_until

LIMIT = 64 * 1024
PROMPT = 3.0  # seconds; what stops others, stops them for longer than that


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("slow")) as server:
        yield server


def connect(server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def request(method: str, path: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def read_answer(connection: socket.socket) -> tuple[int, dict]:
    """One answer from a connection that stays open."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        piece = connection.recv(65536)
        assert piece, f"closed after {raw!r}"
        raw += piece
    head, _, body = raw.partition(b"\r\n\r\n")
    length = int(re.search(rb"Content-Length: ([0-9]+)", head, re.IGNORECASE)[1])
    while len(body) < length:
        piece = connection.recv(65536)
        assert piece, "closed within a body"
        body += piece
    return int(head.split()[1]), json.loads(body)


def test_a_thousand_kept_alive_connections_at_once_meet_no_error(server):
    """All open at the same time, each used for reading and again for writing."""
    get, post = request("GET", "/api/mechanics/"), request("POST", "/api/contact/", json.dumps(CONTACT).encode())
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(server)) for _ in range(1000)]
        for text, expected in ((get, 200), (post, 201)):
            for connection in connections:
                connection.sendall(text)
            assert [read_answer(connection)[0] for connection in connections] == [expected] * 1000


class Dripping(Thread):
    """Clients that each send a byte a second of a request, all in step."""

    def __init__(self, server, clients: int, text: bytes, every: float = 1.0, sent: int = 0):
        super().__init__()
        self.connections = [connect(server) for _ in range(clients)]
        self.text, self.every, self.sent = text, every, sent
        self.stopping = Event()
        for connection in self.connections:
            connection.sendall(text[:sent])

    def __enter__(self):
        self.start()
        return self

    def run(self):
        while not self.stopping.wait(self.every) and self.sent < len(self.text) - 1:
            for connection in self.connections:
                connection.sendall(self.text[self.sent : self.sent + 1])
            self.sent += 1

    def finish(self) -> list[int]:
        """Send the rest, and read the statuses."""
        self.stopping.set()
        self.join()
        for connection in self.connections:
            connection.sendall(self.text[self.sent :])
        return [read_answer(connection)[0] for connection in self.connections]

    def __exit__(self, *exc):
        self.stopping.set()
        self.join()
        for connection in self.connections:
            connection.close()


def others_are_answered(server, seconds: float) -> list[float]:
    """How long requests of every kind take meanwhile."""
    took, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        for method, path, body, expected in (
            ("GET", "/health", None, 200),
            ("GET", "/api/mechanics/", None, 200),
            ("POST", "/api/booking/", BOOKING, 201),
        ):
            started = time.monotonic()
            assert server.call(method, path, body).status == expected
            took.append(time.monotonic() - started)
        time.sleep(0.02)
    return took


def test_sixty_clients_that_send_a_byte_a_second_do_not_stop_the_others(server):
    """Half of them are within the headers, half within the body."""
    text = request("POST", "/api/contact/", json.dumps(CONTACT).encode())
    body = text.index(b"\r\n\r\n") + 10
    with Dripping(server, 30, text, sent=5) as in_headers, Dripping(server, 30, text, sent=body) as in_body:
        took = others_are_answered(server, 2.5)
        assert len(took) > 10
        assert max(took) < PROMPT
        assert (in_headers.sent > 5, in_body.sent > body) == (True, True)
        # They are served too, once they have come to an end.
        assert in_headers.finish() + in_body.finish() == [201] * 60


def test_idle_connections_do_not_stop_the_others(server):
    """Five hundred that never say a word, and five hundred that have had an answer and stay."""
    with ExitStack() as stack:
        for number in range(1000):
            connection = stack.enter_context(connect(server))
            if number % 2:
                connection.sendall(request("GET", "/health"))
                assert read_answer(connection)[0] == 200
        assert max(others_are_answered(server, 1)) < PROMPT


def test_a_client_that_does_not_read_its_answer_does_not_stop_the_others(server):
    with ExitStack() as stack:
        for _ in range(100):
            connection = stack.enter_context(connect(server))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            connection.sendall(request("GET", "/") * 5)
        assert max(others_are_answered(server, 0.5)) < PROMPT


def test_clients_that_do_not_hang_up_when_they_are_let_go_do_not_stop_the_others(server):
    """They asked for it, or sent what cannot be read, and then their signal was gone."""
    last = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with ExitStack() as stack:
        for text in (last, b"no request\r\n\r\n") * 2:
            connection = stack.enter_context(connect(server))
            connection.sendall(text)
            assert connection.recv(8) == b"HTTP/1.1"
        assert max(others_are_answered(server, 3)) < 5


@pytest.fixture
def impatient(tmp_path):
    """A server that lets silent clients go after a second."""
    changed = changed_conf(tmp_path, "import mechtech.workers\nmechtech.workers.SILENCE_SECONDS = 1\n")
    with Server(settings(tmp_path), tmp_path / "server.log", *changed) as server:
        yield server
        assert server.call("GET", "/health").status == 200
        assert "Traceback" not in server.log.read_text()


def test_a_client_that_falls_silent_within_a_body_is_let_go(impatient):
    """What a lost signal leaves behind would pile up otherwise, until no thread is left for others."""
    text = request("POST", "/api/contact/", json.dumps(CONTACT).encode())
    with ExitStack() as stack:
        silent = [stack.enter_context(connect(impatient)) for _ in range(10)]
        for connection in silent:
            connection.sendall(text[:-20])
            connection.settimeout(5)
        assert [read_answer(connection)[0] for connection in silent] == [400] * 10


def test_who_does_not_read_the_answers_is_let_go(impatient):
    """More of them than fit into what the system keeps on the way."""
    count, listening = 3000, 2
    wait_until(lambda: len(impatient.workers()) == listening)
    with connect(impatient) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        with suppress(OSError):
            connection.settimeout(1)
            connection.sendall(request("GET", "/") * count)
        answers = connection.recv(1)  # it was accepted
        wait_until(lambda: sockets(impatient) == listening)  # and is closed
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        with suppress(OSError):  # what came before the end was cut off
            connection.settimeout(5)
            while piece := connection.recv(1 << 20):
                answers += piece
    assert 0 < answers.count(b"HTTP/1.1 200 OK") < count


def sockets(server) -> int:
    """How many the workers have open."""
    files = [file for worker in server.workers() for file in Path(f"/proc/{worker}/fd").iterdir()]
    return sum(os.path.islink(file) and os.readlink(file).startswith("socket:") for file in files)


# Bodies


def chunks(size: int, piece: int = 8000):
    for start in range(0, size, piece):
        yield b" " * min(piece, size - start)


@pytest.mark.parametrize("size, expected", [(LIMIT, 201), (LIMIT + 1, 413), (1_000_000, 413), (8_000_000, 413)])
@pytest.mark.parametrize("way", ["plain", "chunked"])
def test_a_body_is_64_kib_at_most(server, way, size, expected):
    """However it is sent; whoever sends more still gets to read the answer."""
    good = json.dumps(CONTACT).encode()
    connection = server.connect()
    connection.putrequest("POST", "/api/contact/")
    connection.putheader("Content-Type", "application/json")
    connection.putheader(*(("Content-Length", str(size)) if way == "plain" else ("Transfer-Encoding", "chunked")))
    connection.endheaders()
    try:
        for piece in (good, *chunks(size - len(good))):
            connection.send(piece if way == "plain" else b"%x\r\n%s\r\n" % (len(piece), piece))
        if way == "chunked":
            connection.send(b"0\r\n\r\n")
    except (BrokenPipeError, ConnectionResetError):
        assert expected == 413  # the server had seen enough
    answer = connection.getresponse()
    assert answer.status == expected
    if expected == 413:
        check_refusal(413, answer.headers, json.loads(answer.read()))
    connection.close()


def test_a_body_that_only_claims_to_be_large_is_refused_at_once(server):
    with connect(server) as connection:
        connection.sendall(
            b"POST /api/contact/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 65537\r\n\r\n"
        )
        started = time.monotonic()
        status, _ = read_answer(connection)
        assert (status, time.monotonic() - started < PROMPT) == (413, True)


def test_a_client_that_goes_away_within_a_body_leaves_nothing(server):
    before = server.call("POST", "/api/contact/", CONTACT).json["id"]
    for _ in range(20):
        with connect(server) as connection:
            connection.sendall(request("POST", "/api/contact/", json.dumps(CONTACT).encode())[:-20])
    assert server.call("POST", "/api/contact/", CONTACT).json["id"] == before + 1
    assert "Traceback" not in server.log.read_text()


def test_expect_100_continue_is_answered(server):
    """curl asks before it sends a larger body."""
    body = json.dumps(CONTACT).encode()
    with connect(server) as connection:
        head = request("POST", "/api/contact/", body)[: -len(body)]
        connection.sendall(head.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        assert read_answer(connection)[0] == 201


def test_pipelined_requests_are_all_answered_in_order(server):
    with connect(server) as connection:
        connection.sendall(request("GET", "/health") + request("GET", "/api/nowhere"))
        raw = b""
        connection.settimeout(PROMPT)
        while len(re.findall(rb"HTTP/1\.1 ", raw)) < 2:
            piece = connection.recv(65536)
            assert piece, raw
            raw += piece
    assert re.findall(rb"HTTP/1\.1 ([0-9]+)", raw) == [b"200", b"404"]


def test_fifty_clients_at_once_are_all_answered(server):
    """A burst of every kind on connections of their own, logins with their slow hash among them."""
    login = {"email": "nobody@example.com", "password": "password123"}

    def burst(number):
        connection = server.connect()
        statuses = [
            call(connection, "POST", "/api/booking/", BOOKING).status,
            call(connection, "POST", "/api/auth/login", {**login, "email": f"nobody{number}@example.com"}).status,
            call(connection, "GET", "/api/mechanics/").status,
        ]
        connection.close()
        return statuses

    assert at_once(50, burst) == [[201, 401, 200]] * 50
