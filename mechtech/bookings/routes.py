"""/api/booking: from "my car has stopped" to the review."""

from flask import Blueprint, current_app

from mechtech import clock
from mechtech.bookings import repository, rules
from mechtech.bookings.schemas import Booking, BookingQuery, BookingUpdate, Review
from mechtech.errors import NotFound
from mechtech.web import tokens
from mechtech.web.authentication import anyone, owner, user
from mechtech.web.body import asks, take_retry, takes

booking = Blueprint("booking", __name__, url_prefix="/api/booking")


@booking.post("")
@takes(Booking)
@anyone
def create(fields, caller):
    made, replayed = repository.create(fields, take_retry(fields, caller.user_id))
    answer = {
        "message": "Your booking is received.",
        "id": rules.reference(made["id"]),
        "bookingId": made["id"],
        "status": "pending",
    }
    if caller.user_id is None:
        answer["bookingToken"] = tokens.for_booking(made["id"], clock.seconds(made["created_at"]))
    return answer, 201, {"Idempotent-Replayed": "true"} if replayed else {}


@booking.get("")
@asks(BookingQuery)
@user
def list_page(query, caller):
    user_id = None if rules.is_admin(caller.user) else caller.user_id
    bookings, total, following = repository.list_page(user_id, **query)
    return {"total": total, "bookings": bookings, "nextCursor": following and tokens.cursor(following)}


@booking.get("/<booking_id:id>")
@owner
def show(id, caller):
    return {"booking": _opened(repository.find_with_its_service_and_history(id), caller)}


@booking.put("/<booking_id:id>")
@takes(BookingUpdate)
@owner
def update(id, fields, caller):
    _opened(repository.find(id), caller)
    rules.check_update_allowed(fields, rules.actor(caller.user))
    return _update(id, fields, caller, "The booking is updated.")


@booking.delete("/<booking_id:id>")
@owner
def cancel(id, caller):
    _opened(repository.find(id), caller)
    return _update(id, {"status": "cancelled"}, caller, "The booking is cancelled.")


@booking.post("/<booking_id:id>/review")
@takes(Review)
@owner
def review(id, fields, caller):
    rules.check_review_allowed(_opened(repository.find(id), caller), caller.user)
    repository.review(id, fields["rating"], fields["review"])
    return {"message": "Thank you for your review.", "rating": fields["rating"]}, 201


def _opened(found: dict, caller) -> dict:
    """The booking, if it opens for the caller; else NotFound, as for one that does not exist."""
    if not rules.opens(found, caller.user, caller.booking_id):
        raise NotFound
    return found


def _update(id, changes, caller, message):
    capacity = current_app.config["settings"].mechanic_capacity
    status = repository.update(id, changes, rules.actor(caller.user), capacity)
    return {"message": message, "bookingId": id, "status": status}
