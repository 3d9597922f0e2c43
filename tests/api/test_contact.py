import re

import pytest

from mechtech import clock
from tests.answers import refused, sql, wrong_fields
from tests.conftest import CONTACT, make_admin

MESSAGE = {"id", "fullName", "email", "message", "status", "created_at", "updated_at"}
NOT_TEXT = [7, 7.5, True, ["Jane Roe is a text"], {"a": 1}]
UNPRINTABLE = ["Jane Roe writes\x00", "Jane Roe writes\x1b[2J", "Jane Roe writes\x7f", "Jane Roe writes\ud800"]
BAD = {
    "fullName": ["n" * 101, *NOT_TEXT, *UNPRINTABLE],
    "email": ["jane", "jane@localhost", "@example.com", "j@" + "e" * 249 + ".com", *NOT_TEXT, *UNPRINTABLE],
    "message": ["nine char", " nine char ", "m" * 5001, *NOT_TEXT, *UNPRINTABLE],
}
GOOD = {
    "fullName": ["J", "李", "n" * 100, "Zoë Ж 你"],
    "email": ["a@b.co", f"{'a' * 60}@{'b' * 63}.{'c' * 63}.{'d' * 63}.e"],
    "message": ["ten chars!", "m" * 5000, "Two lines\r\n\tand a tab.", "<script>alert('hello')</script>"],
}
NOTHING = [None, "", "   "]


def pairs(table):
    return [(name, value) for name, values in table.items() for value in values]


def send(client, key=None, token=None, **changes):
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post("/api/contact/", {**CONTACT, **changes}, token=token, headers=headers)


def fill(environ, *statuses):
    """Messages 1, 2, 3… with these statuses."""
    for status in statuses:
        row = ("Jane Roe", "jane@example.com", "Do you repair ships?", status)
        sql(
            environ["DB_PATH"],
            'INSERT INTO contact_messages ("fullName", email, message, status) VALUES (?, ?, ?, ?)',
            row,
        )


@pytest.fixture(scope="module")
def lasting_admin(lasting):
    return make_admin(lasting.client.application, lasting, "admin@example.com")


# POST


def test_anyone_sends_a_message_and_the_admin_reads_it(client, admin):
    answer = send(client)
    assert answer.status_code == 201
    assert set(answer.json) == {"message", "id"}
    assert answer.json["id"] == 1
    shown = client.get("/api/contact/1", token=admin)
    assert shown.status_code == 200
    assert set(shown.json) == {"message"}
    message = shown.json["message"]
    assert set(message) == MESSAGE
    assert message == {
        **CONTACT,
        "id": 1,
        "status": "unread",
        "created_at": message["created_at"],
        "updated_at": message["created_at"],
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", message["created_at"])


def test_a_customer_sends_a_message_too(client, customer):
    assert send(client, token=customer).status_code == 201


@pytest.mark.parametrize("field, value", pairs(GOOD))
def test_a_message_takes_a_good_field(client, admin, field, value):
    assert send(client, **{field: value}).status_code == 201
    assert client.get("/api/contact/1", token=admin).json["message"][field] == value


@pytest.mark.parametrize("field, value", pairs(BAD))
def test_a_message_names_a_wrong_field(lasting, field, value):
    assert wrong_fields(send(lasting, **{field: value})) == {field}


@pytest.mark.parametrize("nothing", NOTHING)
@pytest.mark.parametrize("field", ["fullName", "email", "message"])
def test_a_message_needs_all_of_its_fields(client, environ, field, nothing):
    assert wrong_fields(send(client, **{field: nothing})) == {field}
    body = {name: value for name, value in CONTACT.items() if name != field}
    assert wrong_fields(client.post("/api/contact/", body)) == {field}
    assert sql(environ["DB_PATH"], "SELECT COUNT(*) FROM contact_messages") == [(0,)]


def test_every_wrong_field_is_named_at_once(lasting):
    assert wrong_fields(lasting.post("/api/contact/", {})) == {"fullName", "email", "message"}
    wrong = {"name": "", "email": "jane", "message": "short"}
    assert wrong_fields(lasting.post("/api/contact/", wrong)) == {"name", "email", "message"}


def test_strings_are_trimmed_and_unknown_fields_change_nothing(client, admin):
    send(client, fullName="  Jane Roe\n", message="\tten chars! ", email=" jane@example.com ", status="read", id=77)
    message = client.get("/api/contact/1", token=admin).json["message"]
    found = [message[name] for name in ("id", "fullName", "message", "email", "status")]
    assert found == [1, "Jane Roe", "ten chars!", "jane@example.com", "unread"]


# `name` for fullName


def test_name_is_taken_for_fullName(client, admin):
    body = {"name": " Jane of the Form ", "email": "jane@example.com", "message": "Do you repair ships?"}
    assert client.post("/api/contact/", body).status_code == 201
    assert client.get("/api/contact/1", token=admin).json["message"]["fullName"] == "Jane of the Form"


@pytest.mark.parametrize("value", [*BAD["fullName"], *NOTHING])
def test_a_wrong_name_is_named_as_it_was_sent(lasting, value):
    body = {"name": value, "email": "jane@example.com", "message": "Do you repair ships?"}
    assert wrong_fields(lasting.post("/api/contact/", body)) == {"name"}


def test_fullName_comes_before_name(client, admin):
    assert send(client, name="Somebody Else").status_code == 201
    assert send(client, name=7).status_code == 201
    assert client.get("/api/contact/1", token=admin).json["message"]["fullName"] == CONTACT["fullName"]
    assert wrong_fields(send(client, fullName="", name="Somebody Else")) == {"fullName"}


# GET, one page after the other


def ids(answer):
    assert answer.status_code == 200, answer.text
    assert set(answer.json) == {"total", "messages", "nextCursor"}
    assert all(set(message) == MESSAGE for message in answer.json["messages"])
    return [message["id"] for message in answer.json["messages"]]


def test_messages_come_newest_first_page_by_page(client, admin, environ):
    fill(environ, *["unread"] * 5)
    first = client.get("/api/contact/?limit=2", token=admin)
    assert ids(first) == [5, 4]
    fill(environ, "unread")  # what comes in meanwhile moves nothing
    second = client.get(f"/api/contact/?limit=2&cursor={first.json['nextCursor']}", token=admin)
    assert ids(second) == [3, 2]
    last = client.get(f"/api/contact/?limit=2&cursor={second.json['nextCursor']}", token=admin)
    assert ids(last) == [1]
    assert last.json["nextCursor"] is None
    assert [page.json["total"] for page in (first, second, last)] == [5, 6, 6]


def test_a_page_that_is_just_full_is_the_last(client, admin, environ):
    fill(environ, "unread", "unread")
    answer = client.get("/api/contact/?limit=2", token=admin)
    assert ids(answer) == [2, 1]
    assert answer.json["nextCursor"] is None


def test_no_messages_are_an_empty_page(client, admin):
    answer = client.get("/api/contact/", token=admin)
    assert answer.json == {"total": 0, "messages": [], "nextCursor": None}


@pytest.mark.parametrize("query, count", [("", 50), ("?limit=1", 1), ("?limit=200", 200), ("?limit=60", 60)])
def test_a_page_has_50_messages_unless_asked_for_1_to_200(client, admin, environ, query, count):
    fill(environ, *["unread"] * 201)
    answer = client.get(f"/api/contact/{query}", token=admin)
    assert ids(answer) == list(range(201, 201 - count, -1))
    assert answer.json["total"] == 201


def test_status_filters_the_messages_and_their_total(client, admin, environ):
    fill(environ, "unread", "read", "unread", "read", "read")
    page = client.get("/api/contact/?status=read&limit=2", token=admin)
    assert (ids(page), page.json["total"]) == ([5, 4], 3)
    page = client.get(f"/api/contact/?status=read&limit=2&cursor={page.json['nextCursor']}", token=admin)
    assert (ids(page), page.json["total"], page.json["nextCursor"]) == ([2], 3, None)
    page = client.get("/api/contact/?status=unread", token=admin)
    assert (ids(page), page.json["total"]) == ([3, 1], 2)


def test_the_total_stops_counting_at_ten_thousand(client, admin, environ):
    insert = """
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
        INSERT INTO contact_messages ("fullName", email, message)
        SELECT 'Jane', 'j@e.co', 'm' FROM n
    """
    sql(environ["DB_PATH"], insert, (9_999,))
    for expected in (9_999, 10_000, 10_000):
        assert client.get("/api/contact/?limit=1", token=admin).json["total"] == expected
        fill(environ, "unread")


@pytest.mark.parametrize(
    "name, value",
    [
        *(("limit", value) for value in ("0", "201", "-1", "1.0", "ten", "٣", "", "+5", "1_0", "9" * 30)),
        *(("status", value) for value in ("new", "READ", "pending", "", "read,unread")),
        *(("cursor", value) for value in ("x", "", "1", "a.b.c", "e30.e30.e30", "null")),
    ],
)
def test_a_query_value_that_breaks_a_rule_is_named(lasting, lasting_admin, name, value):
    answer = lasting.call("GET", "/api/contact/", query_string={name: value}, token=lasting_admin)
    assert wrong_fields(answer) == {name}


def test_a_damaged_cursor_and_a_token_are_no_cursors(client, admin, environ):
    fill(environ, "unread", "unread")
    cursor = client.get("/api/contact/?limit=1", token=admin).json["nextCursor"]
    for damaged in (cursor[:-3], cursor[1:], cursor + "A", admin):
        assert wrong_fields(client.get(f"/api/contact/?cursor={damaged}", token=admin)) == {"cursor"}


def test_an_unknown_query_name_is_an_error_unless_it_begins_with_an_underscore(client, admin, environ):
    fill(environ, "unread")
    assert ids(client.get("/api/contact/?_cache=7", token=admin)) == [1]
    assert wrong_fields(client.get("/api/contact/?page=7&Limit=0&email=x", token=admin)) == {"page", "Limit", "email"}


# PUT read, DELETE


def test_the_admin_marks_a_message_as_read(client, admin):
    send(client)
    for _ in range(2):  # a second time changes nothing
        answer = client.put("/api/contact/1/read", token=admin)
        assert answer.status_code == 200
        assert set(answer.json) == {"message", "messageId"}
        assert answer.json["messageId"] == 1
        assert client.get("/api/contact/1", token=admin).json["message"]["status"] == "read"


def test_the_admin_deletes_a_message(client, admin):
    send(client)
    send(client)
    answer = client.delete("/api/contact/1", token=admin)
    assert answer.status_code == 200
    assert set(answer.json) == {"message", "messageId"}
    assert answer.json["messageId"] == 1
    refused(client.get("/api/contact/1", token=admin), 404, "not_found")
    refused(client.delete("/api/contact/1", token=admin), 404, "not_found")
    assert ids(client.get("/api/contact/", token=admin)) == [2]


ONE = [("GET", ""), ("PUT", "/read"), ("DELETE", "")]


@pytest.mark.parametrize(
    "number", ["0", "2", "999999999999999", "9223372036854775808", "٣", "1.0", "-1", "x", "BK000001"]
)
@pytest.mark.parametrize("method, rest", ONE)
def test_a_message_that_is_not_there_is_404(client, admin, environ, method, rest, number):
    fill(environ, "unread")
    refused(client.call(method, f"/api/contact/{number}{rest}", token=admin), 404, "not_found")
    assert client.get("/api/contact/1", token=admin).json["message"]["status"] == "unread"


@pytest.mark.parametrize("method, rest", [("GET", None), *ONE])
def test_messages_are_for_admins(client, customer, environ, method, rest):
    fill(environ, "unread")
    path = "/api/contact/" if rest is None else f"/api/contact/1{rest}"
    refused(client.call(method, path), 401, "unauthorized")
    refused(client.call(method, path, token=customer), 403, "forbidden")
    refused(client.call(method, path.replace("1", "9"), token=customer), 403, "forbidden")
    assert sql(environ["DB_PATH"], "SELECT status FROM contact_messages") == [("unread",)]


# Idempotency-Key


def count(environ):
    ((messages,),) = sql(environ["DB_PATH"], "SELECT COUNT(*) FROM contact_messages")
    return messages


def test_a_retry_gets_the_first_answer_again(client, environ):
    first = send(client, "key-1")
    assert (first.status_code, first.json["id"]) == (201, 1)
    assert "Idempotent-Replayed" not in first.headers
    for path in ("/api/contact/", "/api/contact"):
        again = client.post(path, CONTACT, headers={"Idempotency-Key": "key-1"})
        assert (again.status_code, again.data) == (201, first.data)
        assert again.headers["Idempotent-Replayed"] == "true"
    assert count(environ) == 1


def test_without_a_key_or_with_another_every_message_is_one(client, environ):
    answers = [send(client), send(client), send(client, "a"), send(client, "b"), send(client, "A")]
    assert [answer.json["id"] for answer in answers] == [1, 2, 3, 4, 5]
    assert not any("Idempotent-Replayed" in answer.headers for answer in answers)


def test_a_key_is_good_for_one_body_byte_for_byte(client, environ):
    send(client, "key-1")
    refused(send(client, "key-1", message="Do you repair ships too?"), 409, "conflict")
    raw = b'{"fullName":"Jane Roe","email":"jane.roe@example.com","message":"Do you repair motorcycles too?" }'
    headers = {"Idempotency-Key": "key-1", "Content-Type": "application/json"}
    refused(client.call("POST", "/api/contact/", data=raw, headers=headers), 409, "conflict")
    assert count(environ) == 1


def test_who_sends_a_message_makes_no_difference_to_its_key(client, customer, environ):
    answers = [send(client, "key-1", token) for token in (None, customer, "bad")]
    assert [answer.json["id"] for answer in answers] == [1, 1, 1]
    assert count(environ) == 1


def test_only_a_success_is_remembered(client, environ):
    wrong_fields(send(client, "key-1", message="short"))
    answer = send(client, "key-1")
    assert (answer.status_code, answer.json["id"]) == (201, 1)
    assert "Idempotent-Replayed" not in answer.headers


def test_a_key_lasts_24_hours(client, environ):
    send(client, "key-1")
    earlier = "UPDATE idempotency_keys SET created_at = ?"
    sql(environ["DB_PATH"], earlier, (clock.text(clock.now() - 86_300),))
    assert send(client, "key-1").headers["Idempotent-Replayed"] == "true"
    sql(environ["DB_PATH"], earlier, (clock.text(clock.now() - 86_400),))
    answer = send(client, "key-1", message="Do you repair ships too?")
    assert (answer.status_code, answer.json["id"]) == (201, 2)
    assert send(client, "key-1", message="Do you repair ships too?").json["id"] == 2


def test_a_retry_is_the_first_answer_though_the_message_is_deleted(client, admin, environ):
    first = send(client, "key-1")
    client.delete("/api/contact/1", token=admin)
    assert send(client, "key-1").data == first.data
    assert count(environ) == 0


@pytest.mark.parametrize("key", ["k", "k" * 255, "with blanks", "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~"])
def test_a_key_is_1_to_255_printable_characters(client, environ, key):
    assert send(client, key).status_code == 201
    assert send(client, key).headers["Idempotent-Replayed"] == "true"
    assert count(environ) == 1


@pytest.mark.parametrize("key", ["", "k" * 256, "ké", "k\tk", "k\x7f"])
def test_a_key_that_breaks_the_rule_is_refused(client, environ, key):
    assert wrong_fields(send(client, key)) == {"Idempotency-Key"}
    assert count(environ) == 0


def test_a_field_of_the_body_is_no_key(client, environ):
    for _ in range(2):
        answer = client.post("/api/contact/", {**CONTACT, "Idempotency-Key": "key-1", "idempotency_key": "key-1"})
        assert answer.status_code == 201
    assert count(environ) == 2
