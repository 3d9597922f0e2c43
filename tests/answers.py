"""What tests ask of an answer, and of the database behind it."""

import sqlite3

from tests.postgresql_server import database_of, execute


def refused(answer, status: int, code: str) -> dict:
    """The body of an answer that must be this error, in the contract's shape."""
    assert (answer.status_code, answer.json["error"]) == (status, code), answer.text
    assert answer.json["requestId"] == answer.headers["X-Request-ID"]
    assert answer.json["message"]
    assert answer.json.keys() - {"fields"} == {"error", "message", "requestId"}
    if status == 401 and code == "unauthorized":
        assert answer.headers["WWW-Authenticate"].partition(" ")[0] == "Bearer"
    return answer.json


def wrong_fields(answer) -> set[str]:
    """The names of the fields that an answer must find wrong; each says why."""
    fields = refused(answer, 400, "validation")["fields"]
    assert all(fields.values())
    return set(fields)


def sql(path, statement: str, params=()) -> list[tuple]:
    """Rows from the database itself, past the service: what another program finds or leaves there."""
    if url := database_of(path).get("DATABASE_URL"):
        return execute(url, statement, params)
    connection = sqlite3.connect(path, isolation_level=None, timeout=20)
    try:
        return connection.execute(statement, params).fetchall()
    finally:
        connection.close()
