"""Idempotency-Key on bookings: a request that is sent again makes no second booking."""

import json

import pytest

from mechtech import clock
from tests.conftest import BOOKING, CONTACT, book, signup

DAY = 24 * 3600
KEY = {"Idempotency-Key": "7c9e6679-7425-40de-944b-e07fc1f90ae7"}


def count(app, table="bookings"):
    return app.extensions["mechtech.db"].one(f"SELECT COUNT(*) AS n FROM {table}")["n"]


def age(app, seconds):
    """Make every key older."""
    then = clock.text(clock.now() - seconds)
    app.extensions["mechtech.db"].write("UPDATE idempotency_keys SET created_at = :then", {"then": then})


def assert_replayed(again, first):
    assert (again.status_code, again.headers.get("Idempotent-Replayed")) == (201, "true")
    assert again.data == first.data


def assert_new(answer, booking_id):
    assert (answer.status_code, answer.json["bookingId"]) == (201, booking_id)
    assert "Idempotent-Replayed" not in answer.headers


@pytest.mark.parametrize("who", ["guest", "customer", "admin"])
def test_the_same_key_gets_the_first_answer_again(app, client, request, who):
    token = None if who == "guest" else request.getfixturevalue(who)
    first = client.post("/api/booking/", BOOKING, token=token, headers=KEY)
    assert_new(first, 1)
    for _ in range(2):
        assert_replayed(client.post("/api/booking/", BOOKING, token=token, headers=KEY), first)
    assert count(app) == 1
    assert count(app, "booking_history") == (1 if who == "admin" else 0)  # of others the row tells the first step


def test_the_first_answer_comes_again_after_the_booking_went_on(client):
    first = client.post("/api/booking/", BOOKING, headers=KEY)
    assert client.delete("/api/booking/1", token=first.json["bookingToken"]).status_code == 200
    assert_replayed(client.post("/api/booking/", BOOKING, headers=KEY), first)


def test_the_path_is_the_same_without_its_trailing_slash(client):
    first = client.post("/api/booking/", BOOKING, headers=KEY)
    assert_replayed(client.post("/api/booking", BOOKING, headers=KEY), first)


def test_without_a_key_every_request_makes_a_booking(client):
    assert [book(client)["bookingId"] for _ in range(3)] == [1, 2, 3]


def test_another_key_makes_another_booking(client):
    assert_new(client.post("/api/booking/", BOOKING, headers=KEY), 1)
    assert_new(client.post("/api/booking/", BOOKING, headers={"Idempotency-Key": KEY["Idempotency-Key"].upper()}), 2)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({**BOOKING, "name": "Someone Else"}),
        json.dumps(BOOKING) + " ",
        json.dumps(BOOKING, indent=1),
        json.dumps(dict(reversed(BOOKING.items()))),
    ],
)
def test_the_same_key_with_another_body_is_409(app, client, body):
    first = client.post("/api/booking/", data=json.dumps(BOOKING), content_type="application/json", headers=KEY)
    assert_new(first, 1)
    answer = client.post("/api/booking/", data=body, content_type="application/json", headers=KEY)
    assert (answer.status_code, answer.json["error"]) == (409, "conflict")
    assert "Idempotent-Replayed" not in answer.headers
    assert count(app) == 1


def test_the_key_of_someone_else_is_another_key(client, customer, admin):
    other = signup(client)
    for booking_id, token in enumerate((None, customer, other, admin), 1):
        assert_new(client.post("/api/booking/", BOOKING, token=token, headers=KEY), booking_id)


def test_whoever_holds_a_booking_token_is_a_guest(client):
    holder = book(client)["bookingToken"]
    first = client.post("/api/booking/", BOOKING, headers=KEY)
    assert_replayed(client.post("/api/booking/", BOOKING, headers=KEY, token=holder), first)


def test_a_bad_token_gets_no_replay(client):
    client.post("/api/booking/", BOOKING, headers=KEY)
    assert client.post("/api/booking/", BOOKING, headers=KEY, token="bad").status_code == 401


def test_the_key_of_another_path_is_another_key(client):
    assert client.post("/api/contact/", CONTACT, headers=KEY).status_code == 201
    assert_new(client.post("/api/booking/", BOOKING, headers=KEY), 1)


def test_a_key_is_kept_for_24_hours(app, client):
    first = client.post("/api/booking/", BOOKING, headers=KEY)
    age(app, DAY - 60)
    assert_replayed(client.post("/api/booking/", BOOKING, headers=KEY), first)


@pytest.mark.parametrize("body", [BOOKING, {**BOOKING, "name": "Someone Else"}])
def test_after_24_hours_a_key_is_free_and_counts_anew(app, client, body):
    client.post("/api/booking/", BOOKING, headers=KEY)
    age(app, DAY + 1)
    second = client.post("/api/booking/", body, headers=KEY)
    assert_new(second, 2)
    assert_replayed(client.post("/api/booking/", body, headers=KEY), second)


def test_keys_that_are_over_are_forgotten(app, client):
    for number in range(5):
        client.post("/api/booking/", BOOKING, headers={"Idempotency-Key": f"old {number}"})
    age(app, DAY + 1)
    client.post("/api/booking/", BOOKING, headers=KEY)
    assert count(app, "idempotency_keys") == 1


@pytest.mark.parametrize("key", ["k", "k" * 255, "!~ a{}\"'\\;--", "٣".encode().hex()])
def test_a_key_within_its_rule(client, key):
    first = client.post("/api/booking/", BOOKING, headers={"Idempotency-Key": key})
    assert_replayed(client.post("/api/booking/", BOOKING, headers={"Idempotency-Key": key}), first)


@pytest.mark.parametrize("key", ["", "k" * 256, "clé", "tab\tin", "nul\0", "del\x7f", "\x1b[0m"])
def test_a_key_that_breaks_its_rule_is_400(app, client, key):
    answer = client.call("POST", "/api/booking/", BOOKING, environ_overrides={"HTTP_IDEMPOTENCY_KEY": key})
    assert (answer.status_code, answer.json["error"]) == (400, "validation")
    assert answer.json["fields"].keys() == {"Idempotency-Key"}
    assert count(app) == 0


def test_a_bad_key_is_named_beside_the_wrong_fields(client):
    answer = client.post("/api/booking/", {**BOOKING, "name": ""}, headers={"Idempotency-Key": "k" * 256})
    assert answer.json["fields"].keys() == {"name", "Idempotency-Key"}


def test_a_key_in_the_body_is_an_unknown_field(client):
    for booking_id in (1, 2):
        assert_new(client.post("/api/booking/", {**BOOKING, "Idempotency-Key": "k"}), booking_id)
    assert_new(client.post("/api/booking/", {**BOOKING, "Idempotency-Key": 5}), 3)


def test_only_a_success_is_remembered(app, client, customer):
    assert client.post("/api/booking/", {**BOOKING, "name": ""}, headers=KEY).status_code == 400
    assert client.post("/api/booking/", data=b"{", content_type="application/json", headers=KEY).status_code == 400
    assert client.post("/api/booking/", BOOKING, headers=KEY, token="bad").status_code == 401
    assert count(app, "idempotency_keys") == 0
    first = client.post("/api/booking/", BOOKING, headers=KEY)
    assert_new(first, 1)
    assert client.post("/api/booking/", {**BOOKING, "name": "Jo"}, headers=KEY).status_code == 409
    assert_replayed(client.post("/api/booking/", BOOKING, headers=KEY), first)  # a conflict is not remembered either
