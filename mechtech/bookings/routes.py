"""/api/booking: from "my car has stopped" to the review."""

from flask import Blueprint, current_app

from mechtech import clock
from mechtech.bookings import changes, repository, rules
from mechtech.bookings.answers import Booked, BookingChanged, Bookings, OneBooking, Reviewed
from mechtech.bookings.schemas import AdminBookingQuery, Booking, BookingQuery, BookingUpdate, Link, Review
from mechtech.errors import Conflict, Forbidden, NotFound
from mechtech.mail.outbox import send_link
from mechtech.texts import address_key
from mechtech.web import idempotency, tokens
from mechtech.web.answers import Posted, gives
from mechtech.web.authentication import Caller, anyone, guest, owner, user
from mechtech.web.body import asks, takes
from mechtech.web.idempotency import RetryHeaders
from mechtech.web.paging import PageQuery

booking = Blueprint("booking", __name__, url_prefix="/api/booking")


@booking.post("")
@takes(Booking, headers=RetryHeaders)
@guest
@gives(Booked, 201, refusals=(Conflict,))
def create(fields: dict, headers: dict, caller: Caller) -> tuple[dict, int, dict]:
    """Book help, as a guest or as a user."""
    by_admin = caller.is_admin
    user_id = None if by_admin else caller.user_id
    retry = idempotency.retry(headers["retry_key"], caller.user_id)
    made, replayed = repository.create(fields, retry, user_id, by_admin)
    answer = {
        "message": "Your booking is received.",
        "id": rules.reference(made["id"]),
        "bookingId": made["id"],
        "status": "pending",
    }
    if user_id is None:
        answer["bookingToken"] = tokens.for_booking(made["id"], clock.seconds(made["created_at"]))
    return answer, 201, idempotency.replay_headers(replayed)


@booking.get("")
@asks(BookingQuery, for_admin=AdminBookingQuery)
@user
@gives(Bookings)
def list_page(query: PageQuery, caller: Caller) -> dict:
    """List one's own bookings; for an admin, everyone's."""
    filters = {**query.filters, "user_id": None if caller.is_admin else caller.user_id}
    oldest_first = filters.pop("order") == "oldest"
    bookings, total, following = repository.list_page(filters, query.after, query.limit, oldest_first)
    return {"total": total, "bookings": bookings, "nextCursor": query.cursor(following)}


@booking.get("/<booking_id:id>")
@owner
@gives(OneBooking, refusals=(NotFound,))
def show(id: int, caller: Caller) -> dict:
    """Show a booking with its service and its history."""
    return {"booking": _opened(repository.find_with_its_service_and_history(id), caller)}


@booking.put("/<booking_id:id>")
@takes(BookingUpdate)
@owner
@gives(BookingChanged, refusals=(Forbidden, NotFound, Conflict))
def update(id: int, fields: dict, caller: Caller) -> dict:
    """Cancel or correct a booking; for an admin, also take it through its life."""
    _opened(repository.find(id), caller)
    rules.check_update_allowed(fields, caller.role)
    return _update(id, fields, caller, "The booking is updated.")


@booking.post("/<booking_id:id>/link")
@takes(Link)
@anyone
@gives(Posted, 202)
def send_its_link(id: int, fields: dict) -> tuple[dict, int]:
    """Mail the link to a booking again.

    The answer is the same, in the same time, whether the booking and the address belong together or not.
    """
    asked = address_key(fields["email"])
    found = repository.find_of(id, asked)
    send_link("link", f"{id} {asked}", found)
    return {"message": "If this booking was made with this address, its link is on its way there."}, 202


@booking.delete("/<booking_id:id>")
@owner
@gives(BookingChanged, refusals=(NotFound, Conflict))
def cancel(id: int, caller: Caller) -> dict:
    """Cancel a booking. It stays, as a cancelled one."""
    _opened(repository.find(id), caller)
    return _update(id, {"status": "cancelled"}, caller, "The booking is cancelled.")


@booking.post("/<booking_id:id>/review")
@takes(Review)
@owner
@gives(Reviewed, 201, refusals=(Forbidden, NotFound, Conflict))
def review(id: int, fields: dict, caller: Caller) -> tuple[dict, int]:
    """Review a completed booking, once."""
    _opened(repository.find(id), caller)
    rules.check_review_allowed(caller.user)
    changes.review(id, fields["rating"], fields["review"])
    return {"message": "Thank you for your review.", "rating": fields["rating"]}, 201


def _opened(found: dict, caller: Caller) -> dict:
    """The booking, if it opens for the caller; else NotFound, as for one that does not exist."""
    if not rules.opens(found, caller.user, caller.booking):
        raise NotFound
    return found


def _update(id: int, fields: dict, caller: Caller, message: str) -> dict:
    capacity = current_app.config["settings"].mechanic_capacity
    status = changes.update(id, fields, caller.role, capacity)
    return {"message": message, "bookingId": id, "status": status}
