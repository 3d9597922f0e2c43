import time
from pathlib import Path
from threading import Event

import pytest
from limits.errors import StorageError

from mechtech.version import VERSION
from tests.endpoints import ENDPOINTS

pytestmark = pytest.mark.own_database


def test_health_tells_that_the_database_answers(client):
    for path in ("/health", "/health/"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.json == {
            "status": "OK",
            "message": "MechTECH is running.",
            "version": VERSION,
            "database": "ok",
            "limits": "ok",
        }


@pytest.mark.sqlite
def test_health_is_503_while_the_database_is_broken(client, environ, caplog):
    file = Path(environ["DB_PATH"])
    file.rename(f"{file}.kept")
    file.write_bytes(b"This is no database. " * 1000)
    for _ in range(2):
        answer = client.get("/health")
        assert answer.status_code == 503
        assert answer.json["status"] == "ERROR"
        assert (answer.json["database"], answer.json["limits"]) == ("error", "ok")
        assert answer.json["version"] == VERSION
        assert answer.json["error"] == "unavailable"
        assert answer.json["requestId"] == answer.headers["X-Request-ID"]
        assert int(answer.headers["Retry-After"]) > 0
        assert "not a database" not in answer.text  # the cause is in the log
    assert "was replaced" in caplog.text
    Path(f"{file}.kept").replace(file)
    assert client.get("/health").json["status"] == "OK"


def test_health_is_503_after_two_seconds_without_an_answer(app, client, monkeypatch):
    over = Event()
    monkeypatch.setattr(app.extensions["mechtech.db"], "check", lambda: over.wait(20))
    begun = time.monotonic()
    answer = client.get("/health")
    over.set()
    assert (answer.status_code, answer.json["database"], answer.json["limits"]) == (503, "error", "ok")
    assert 2 <= time.monotonic() - begun < 4


@pytest.mark.sqlite
@pytest.mark.parametrize("spoil", [Path.mkdir, lambda file: file.symlink_to(file.name)])
def test_health_is_503_where_no_file_can_be(client, environ, spoil):
    file = Path(environ["DB_PATH"])
    file.rename(f"{file}.kept")
    spoil(file)
    assert [client.get(path).status_code for path in ("/health", "/api/mechanics/")] == [503, 503]
    file.rename(f"{file}.spoilt")
    Path(f"{file}.kept").rename(file)
    assert [client.get(path).status_code for path in ("/health", "/api/mechanics/")] == [200, 200]


def test_the_index_lists_every_endpoint_and_who_may_call_it(client):
    answer = client.get("/")
    assert answer.status_code == 200
    assert set(answer.json) == {"name", "version", "endpoints"}
    assert answer.json["name"] == "MechTECH"
    assert answer.json["version"] == VERSION
    listed = [(entry["method"], entry["path"].rstrip("/") or "/", entry["who"]) for entry in answer.json["endpoints"]]
    assert len(listed) == len(ENDPOINTS)
    assert set(listed) == ENDPOINTS


def test_health_is_503_while_the_limits_cannot_count(client, environ):
    Path(f"{environ['DB_PATH']}.hits").write_bytes(b"This is no file of limits. " * 10)
    answer = client.get("/health")
    assert answer.status_code == 503
    assert (answer.json["database"], answer.json["limits"]) == ("ok", "error")
    assert client.get("/api/mechanics").json["error"] == "unavailable"


def test_health_is_503_while_the_limits_can_only_be_read(client, app, monkeypatch):
    """As where a Redis is full."""

    def refuse(*_):
        raise StorageError(MemoryError("no room"))

    monkeypatch.setattr(app.extensions["mechtech.limiter"].storage, "incr", refuse)
    answer = client.get("/health")
    assert (answer.status_code, answer.json["limits"]) == (503, "error")
