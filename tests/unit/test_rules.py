"""The life of a booking, by the rules alone: no request and no database."""

import pytest

from mechtech import clock
from mechtech.bookings import rules
from mechtech.errors import Conflict, Forbidden, Invalid
from mechtech.web.authentication import Caller

CREATED_AT = "2026-01-19T10:30:00Z"
BOOKING = {"id": 25, "user_id": 7, "created_at": CREATED_AT}
OWNERS = ("guest", "customer")
FOLLOWING = {
    ("pending", "confirmed"),
    ("pending", "cancelled"),
    ("confirmed", "in-progress"),
    ("confirmed", "cancelled"),
    ("in-progress", "completed"),
    ("in-progress", "cancelled"),
}


def refusal(current: str, changes: dict, by: str = "admin") -> type[Exception] | None:
    """What the rules raise for these changes; None where they allow them."""
    try:
        rules.check_changes(current, changes, by)
    except (Conflict, Forbidden, Invalid) as error:
        return type(error)
    return None


@pytest.mark.parametrize("wanted", rules.STATUSES)
@pytest.mark.parametrize("current", rules.STATUSES)
def test_an_admin_takes_a_booking_from_each_status_to_the_following_ones_alone(current, wanted):
    assert refusal(current, {"status": wanted}) == (None if (current, wanted) in FOLLOWING else Conflict)


@pytest.mark.parametrize("by", OWNERS)
@pytest.mark.parametrize("current", rules.STATUSES)
def test_an_owner_cancels_until_the_service_begins(current, by):
    assert refusal(current, {"status": "cancelled"}, by) == (None if current in ("pending", "confirmed") else Conflict)


@pytest.mark.parametrize("by", OWNERS)
@pytest.mark.parametrize(
    "changes",
    [
        *({"status": status} for status in rules.STATUSES if status != "cancelled"),
        *({"mechanic_id": 4}, {"mechanic_id": None}, {"cost": 5.0}, {"cost": None}, {"service_date": CREATED_AT}),
        {"status": "cancelled", "mechanic_id": 4},
        {"phone": "+1 555 0100", "cost": 5.0},
    ],
)
def test_an_owner_changes_nothing_that_is_the_garages(changes, by):
    assert refusal("pending", changes, by) == Forbidden


@pytest.mark.parametrize("field", sorted(rules.CORRECTIONS))
@pytest.mark.parametrize("current", rules.STATUSES)
def test_an_owner_corrects_until_the_service_begins_and_an_admin_until_the_end(current, field):
    for by in OWNERS:
        assert refusal(current, {field: None}, by) == (None if current in ("pending", "confirmed") else Conflict)
    assert refusal(current, {field: None}) == (Conflict if current in ("completed", "cancelled") else None)


def test_an_owner_may_correct_and_cancel_at_once():
    assert refusal("confirmed", {"status": "cancelled", "description": "It goes again."}, "guest") is None


@pytest.mark.parametrize("field", ["cost", "service_date"])
@pytest.mark.parametrize("current", rules.STATUSES)
def test_only_a_booking_that_is_or_becomes_completed_has_a_cost_and_a_date(current, field):
    assert refusal(current, {field: "any"}) == (None if current == "completed" else Invalid)
    assert refusal(current, {field: None}) is None
    assert refusal(current, {field: "any", "status": "completed"}) == (None if current == "in-progress" else Conflict)


def test_a_cost_that_comes_too_early_is_told_under_the_names_that_clients_use():
    with pytest.raises(Invalid) as error:
        rules.check_changes("confirmed", {"cost": 5.0, "service_date": CREATED_AT}, "admin")
    assert error.value.fields.keys() == {"cost", "serviceDate"}


@pytest.mark.parametrize("current", rules.STATUSES)
def test_a_booking_that_has_ended_keeps_its_mechanic(current):
    for mechanic_id in (4, None):
        refused = current in ("completed", "cancelled")
        assert refusal(current, {"mechanic_id": mechanic_id}) == (Conflict if refused else None)


@pytest.mark.parametrize(
    ("caller", "opened"),
    [
        (Caller(user={"id": 7, "role": "customer"}), True),
        (Caller(user={"id": 8, "role": "customer"}), False),
        (Caller(user={"id": 8, "role": "admin"}), True),
        (Caller(booking={"bookingId": 25, "iat": clock.seconds(CREATED_AT)}), True),
        (Caller(booking={"bookingId": 26, "iat": clock.seconds(CREATED_AT)}), False),
        (Caller(booking={"bookingId": 25, "iat": clock.seconds(CREATED_AT) + 1}), False),
        (Caller(), False),
    ],
)
def test_a_booking_opens_for_its_user_an_admin_and_the_holder_of_its_own_token(caller, opened):
    assert rules.opens(BOOKING, caller) == opened


@pytest.mark.parametrize("user_id", [None, 7])
def test_a_customer_opens_no_booking_of_a_guest(user_id):
    assert not rules.opens({**BOOKING, "user_id": user_id}, Caller(user={"id": 8, "role": "customer"}))


@pytest.mark.parametrize(
    ("before", "after", "taken"),
    [
        (("pending", None), ("confirmed", 4), True),
        (("pending", 4), ("confirmed", 4), True),
        (("pending", None), ("pending", 4), False),
        (("pending", None), ("confirmed", None), False),
        (("confirmed", 4), ("in-progress", 4), False),
        (("confirmed", 4), ("confirmed", 5), True),
        (("in-progress", None), ("in-progress", 5), True),
        (("in-progress", 4), ("completed", 4), False),
        (("confirmed", 4), ("cancelled", 4), False),
    ],
)
def test_a_slot_is_taken_by_a_confirmed_booking_or_one_in_progress_that_comes_to_a_mechanic(before, after, taken):
    before, after = (dict(zip(("status", "mechanic_id"), pair, strict=True)) for pair in (before, after))
    assert rules.takes_slot(before, after) == taken


@pytest.mark.parametrize(
    ("status", "mechanic_id", "changes", "kind"),
    [
        ("pending", None, {"status": "confirmed", "mechanic_id": 4}, "confirmed"),
        ("in-progress", 4, {"status": "completed", "cost": 5.0}, "completed"),
        ("confirmed", 4, {"status": "cancelled"}, "cancelled"),
        ("confirmed", 4, {"status": "in-progress"}, None),
        ("confirmed", 4, {"status": "in-progress", "mechanic_id": 5}, "mechanic"),
        ("confirmed", 4, {"mechanic_id": 5}, "mechanic"),
        ("in-progress", None, {"mechanic_id": 5}, "mechanic"),
        ("confirmed", 4, {"mechanic_id": 4}, None),
        ("confirmed", 4, {"mechanic_id": None}, None),
        ("pending", None, {"mechanic_id": 5}, None),
        ("confirmed", 4, {"phone": "+1 555 0100"}, None),
    ],
)
def test_the_customer_is_told_what_matters_to_him(status, mechanic_id, changes, kind):
    assert rules.mail_about({"status": status, "mechanic_id": mechanic_id}, changes) == kind


@pytest.mark.parametrize(("number", "text"), [(1, "BK000001"), (999_999, "BK999999"), (1_000_000, "BK1000000")])
def test_a_reference_has_six_digits_at_least(number, text):
    assert rules.reference(number) == text
