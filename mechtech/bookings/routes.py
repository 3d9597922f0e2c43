"""/api/booking: from "my car has stopped" to the review."""

from flask import Blueprint

from mechtech import clock
from mechtech.bookings import changes, repository, rules, schemas
from mechtech.bookings.schemas import BOOKING_ID, BOOKING_TOKEN, RATING, REFERENCE, STATUS
from mechtech.errors import Conflict, Forbidden
from mechtech.mail.outbox import send_link
from mechtech.texts import address_key
from mechtech.web import tokens
from mechtech.web.answers import NEXT_CURSOR, SENTENCE, TOTAL, gives
from mechtech.web.authentication import Caller, anyone, guest, owner, user
from mechtech.web.body import asks, takes
from mechtech.web.idempotency import RetryHeaders
from mechtech.web.paging import PageQuery

booking = Blueprint("booking", __name__, url_prefix="/api/booking")


@booking.post("")
@takes(schemas.BookingBody, headers=RetryHeaders)
@guest
@gives(201, Conflict, message=SENTENCE, id=REFERENCE, bookingId=BOOKING_ID, status=STATUS, bookingToken=BOOKING_TOKEN)
def create(fields: dict, caller: Caller) -> tuple[dict, int]:
    """Book help, as a guest or as a user."""
    made = repository.create(fields, caller)
    answer = {
        "message": "Your booking is received.",
        "id": rules.reference(made["id"]),
        "bookingId": made["id"],
        "status": "pending",
    }
    if made["user_id"] is None:
        answer["bookingToken"] = tokens.for_booking(made["id"], clock.seconds(made["created_at"]))
    return answer, 201


@booking.get("")
@asks(schemas.BookingQuery, for_admin=schemas.AdminBookingQuery)
@user
@gives(total=TOTAL, bookings=[schemas.Booking], nextCursor=NEXT_CURSOR)
def list_page(query: PageQuery, caller: Caller) -> dict:
    """List one's own bookings; for an admin, everyone's."""
    filters = {**query.filters, "user_id": None if caller.is_admin else caller.user_id}
    oldest_first = filters.pop("order") == "oldest"
    bookings, total, following = repository.list_page(filters, query.after, query.limit, oldest_first)
    return {"total": total, "bookings": bookings, "nextCursor": query.cursor(following)}


@booking.get("/<booking_id:id>")
@owner
@gives(booking=schemas.WholeBooking)
def show(id: int, caller: Caller) -> dict:
    """Show a booking with its service and its history."""
    return {"booking": repository.find(id, caller)}


@booking.put("/<booking_id:id>")
@takes(schemas.BookingUpdateBody)
@owner
@gives(200, Forbidden, Conflict, message=SENTENCE, bookingId=BOOKING_ID, status=STATUS)
def update(id: int, fields: dict, caller: Caller) -> dict:
    """Cancel or correct a booking; for an admin, also take it through its life."""
    return {"message": "The booking is updated.", "bookingId": id, "status": changes.update(id, fields, caller)}


@booking.post("/<booking_id:id>/link")
@takes(schemas.LinkBody)
@anyone
@gives(202, message=SENTENCE)
def send_its_link(id: int, fields: dict) -> tuple[dict, int]:
    """Mail the link to a booking again.

    The answer is the same, in the same time, whether the booking and the address belong together or not.
    """
    asked = address_key(fields["email"])
    found = repository.find_with_address(id, asked)
    send_link("link", f"{id} {asked}", found)
    return {"message": "If this booking was made with this address, its link is on its way there."}, 202


@booking.delete("/<booking_id:id>")
@owner
@gives(200, Conflict, message=SENTENCE, bookingId=BOOKING_ID, status=STATUS)
def cancel(id: int, caller: Caller) -> dict:
    """Cancel a booking. It stays, as a cancelled one."""
    status = changes.update(id, {"status": "cancelled"}, caller)
    return {"message": "The booking is cancelled.", "bookingId": id, "status": status}


@booking.post("/<booking_id:id>/review")
@takes(schemas.ReviewBody)
@owner
@gives(201, Forbidden, Conflict, message=SENTENCE, rating=RATING)
def review(id: int, fields: dict, caller: Caller) -> tuple[dict, int]:
    """Review a completed booking, once."""
    changes.review(id, fields["rating"], fields["review"], caller)
    return {"message": "Thank you for your review.", "rating": fields["rating"]}, 201
