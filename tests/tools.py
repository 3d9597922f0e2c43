"""What these tests share: many callers at once, a database seen from outside, and the shape of a refusal."""

import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from threading import Barrier, Event, Thread

from tests.answers import sql
from tests.apps import environ_of
from tests.conftest import BOOKING
from tests.gunicorn_server import ROOT, Server
from tests.postgresql_server import SERVER

CODES = {
    400: {"invalid_json", "validation"},
    401: {"unauthorized", "invalid_credentials"},
    403: {"cors_forbidden", "forbidden"},
    404: {"not_found"},
    405: {"method_not_allowed"},
    409: {"conflict"},
    413: {"payload_too_large"},
    415: {"unsupported_media_type"},
    429: {"rate_limited"},
    500: {"server_error"},
    503: {"unavailable"},
}
# Words of the inside: languages, libraries, tables and places that no answer to a hostile request may name.
INSIDE = re.compile(
    r"Traceback|File \"|site-packages|\.py\b|Error:|Exception|gunicorn|werkzeug|flask|marshmallow|sqlite|bcrypt|jwt"
    r"|python|SELECT |INSERT |UPDATE |tokens_valid_from|mechtech/",
    re.IGNORECASE,
)


def settings(folder: Path, **environ) -> dict:
    """The settings of a server whose files are in folder, with two workers unless told otherwise."""
    return {**environ_of(folder / "test.db"), "WEB_CONCURRENCY": "2", **environ}


def changed_conf(folder: Path, more: str) -> list[str]:
    """gunicorn's arguments for its configuration with more Python at the end."""
    conf = folder / "gunicorn.conf.py"
    start = f"from pathlib import Path\n__file__ = {str(ROOT / 'gunicorn.conf.py')!r}\n"
    conf.write_text(f"{start}exec(Path(__file__).read_text())\n{more}")
    return ["-c", str(conf)]


@contextmanager
def running(folder: Path, **environ):
    """A server whose files are in folder."""
    with Server(settings(folder, **environ), folder / "server.log") as server:
        yield server


def at_once(count: int, function) -> list:
    """[function(0), function(1), …], each in a thread of its own, all let go together."""
    barrier = Barrier(count)

    def run(number):
        barrier.wait()
        return function(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def wait_until(condition, seconds: float = 20, every: float = 0.02):
    """What condition() returns, as soon as it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(every)
    raise AssertionError(f"not within {seconds} s: {condition}")


def all_workers_up(server):
    """Until each of the two has answered something: it has started threads by then."""

    def up() -> bool:
        at_once(8, lambda number: server.call("GET", "/health"))
        threads = [len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in server.workers()]
        return len(threads) == 2 and min(threads) > 1

    wait_until(up)


def sign_up(server, email: str, admin: bool = False) -> str:
    """A token of a new account on a running server."""
    answer = server.call("POST", "/api/auth/signup", {"name": "Some User", "email": email, "password": "password123"})
    assert answer.status == 201, answer.body
    if admin:
        sql(server.environ["DB_PATH"], "UPDATE users SET role = 'admin' WHERE email = ?", (email,))
    return answer.json["token"]


def book(server, mark: str = "", **kwargs):
    """The answer to a new booking whose description is mark."""
    return server.call("POST", "/api/booking/", {**BOOKING, "description": mark}, **kwargs)


class Load:
    """Four clients that book on a server until stop(); acknowledged: the marks of bookings that were answered 201."""

    def __init__(self, server, name: str):
        self.acknowledged, self.statuses, self.slowest = [], Counter(), 0.0
        self._server, self._name, self._over = server, name, Event()
        self._threads = [Thread(target=self._run, args=(number,)) for number in range(4)]
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int):
        turn = 0
        while not self._over.is_set():
            turn += 1
            mark, begun = f"{self._name} {number} {turn}", time.monotonic()
            try:
                status = book(self._server, mark).status
            except (OSError, HTTPException):
                status = None  # the server is being restarted, or has cut the answer off
                time.sleep(0.05)
            self.slowest = max(self.slowest, time.monotonic() - begun)
            self.statuses[status] += 1
            if status == 201:
                self.acknowledged.append(mark)


def check_refusal(status: int, headers, body: dict):
    """An error has the contract's shape and tells nothing of the inside."""
    assert body["error"] in CODES[status], (status, body)
    allowed = {"error", "message", "requestId"} | ({"fields"} if status in (400, 401) else set())
    assert set(body) <= allowed, body
    assert (body["error"] == "validation") <= bool(body.get("fields")), body
    assert body["message"] and isinstance(body["message"], str)
    assert body["requestId"] == headers["X-Request-ID"]
    texts = [body["message"], *body.get("fields", {}).values()]  # the names of fields are the client's own
    assert not any(INSIDE.search(text) for text in texts), body


def check_database(path):
    """Whole, and nothing half-written: what one transaction writes to several tables is there in all of them."""
    if not SERVER:
        assert sql(path, "PRAGMA integrity_check") == [("ok",)]
        assert sql(path, "PRAGMA foreign_key_check") == []
    steps = """
        SELECT bookings.id
        FROM bookings
        LEFT JOIN booking_history AS step ON booking_id = bookings.id
        GROUP BY bookings.id
        HAVING MAX(step) <> COUNT(step)
            OR bookings.status <> COALESCE(
                (SELECT status FROM booking_history WHERE booking_id = bookings.id ORDER BY step DESC LIMIT 1),
                'pending'
            )
            OR CASE bookings.status WHEN 'completed' THEN 1 ELSE 0 END <> (
                SELECT COUNT(*) FROM service_history WHERE booking_id = bookings.id
            )"""
    assert sql(path, steps) == []
