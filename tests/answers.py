"""What tests ask of an answer, and of the database behind it."""

import sqlite3

from mechtech import create_app
from mechtech.settings import from_environment
from tests.conftest import SECRET, Api


def lasting_client(folder) -> Api:
    """For a module's tests that change nothing: making an app for each would take longer than all of them."""
    environ = {"DB_PATH": str(folder / "lasting.db"), "JWT_SECRET": SECRET, "BCRYPT_ROUNDS": "4"}
    return Api(create_app(from_environment({**environ, "RATE_LIMIT": "1000000 per hour"})).test_client())


def refused(answer, status: int, code: str) -> dict:
    """The body of an answer that must be this error, in the contract's shape."""
    assert (answer.status_code, answer.json["error"]) == (status, code), answer.text
    assert answer.json["requestId"] == answer.headers["X-Request-ID"]
    assert answer.json["message"]
    assert answer.json.keys() - {"fields"} == {"error", "message", "requestId"}
    if status == 401 and code == "unauthorized":
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    return answer.json


def wrong_fields(answer) -> set[str]:
    """The names of the fields that an answer must find wrong; each says why."""
    fields = refused(answer, 400, "validation")["fields"]
    assert all(fields.values())
    return set(fields)


def sql(path, statement: str, params=()) -> list[tuple]:
    """Rows from the file itself, past the service: what another program finds or leaves there."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        return connection.execute(statement, params).fetchall()
    finally:
        connection.close()
