"""The rules of the business, as data and small functions: the contract's section The life of a booking."""

from mechtech import clock
from mechtech.errors import Conflict, Forbidden, Invalid

NEXT = {
    "pending": {"confirmed", "cancelled"},
    "confirmed": {"in-progress", "cancelled"},
    "in-progress": {"completed", "cancelled"},
    "completed": set(),
    "cancelled": set(),
}
STATUSES = tuple(NEXT)
FINAL = {status for status, following in NEXT.items() if not following}
ACTIVE = {"confirmed", "in-progress"}  # what a mechanic's capacity counts
OWNER_CHANGES = {"pending", "confirmed"}  # until when an owner may cancel and correct
OF_SERVICE = {"cost": "cost", "service_date": "serviceDate"}  # columns of service_history, as clients name them
CORRECTIONS = {"phone", "description", "location", "latitude", "longitude"}


def reference(booking_id: int) -> str:
    return f"BK{booking_id:06d}"


def first_step(booking: dict) -> dict:
    """The first history entry, `pending`, of a booking that no admin made."""
    by = "guest" if booking["user_id"] is None else "customer"
    return {"status": "pending", "at": booking["created_at"], "by": by}


def opens(booking: dict, user: dict | None, token: dict | None) -> bool:
    """Whether they may see and cancel it. token: the claims of their bookingToken."""
    return is_admin(user) or _is_owner(booking, user) or _is_its_token(booking, token)


def shows(mechanic: dict, user: dict | None, served: bool) -> bool:
    """Unverified mechanics are for admins, and for those who have a booking with them. served: whether the user has."""
    return bool(mechanic["verified"]) or served or is_admin(user)


def is_admin(user: dict | None) -> bool:
    return user is not None and user["role"] == "admin"


def _is_owner(booking: dict, user: dict | None) -> bool:
    return user is not None and booking["user_id"] == user["id"]


def _is_its_token(booking: dict, token: dict | None) -> bool:
    """A token of another booking that once had this number was issued at another time."""
    if token is None or token["bookingId"] != booking["id"]:
        return False
    return clock.text(int(token["iat"])) == booking["created_at"]


def check_update_allowed(changes: dict, by: str) -> None:
    """An owner may cancel, and correct how to find and reach them. Raises Forbidden."""
    if by == "admin":
        return
    allowed = CORRECTIONS | ({"status"} if changes.get("status") == "cancelled" else set())
    if not changes.keys() <= allowed:
        raise Forbidden("You may only cancel this booking, or correct your phone, description and place.")


def check_review_allowed(user: dict | None) -> None:
    """Only the customer reviews, never an admin. user: None for the guest whose booking it is."""
    if is_admin(user):
        raise Forbidden("Only the customer may review a booking.")


def check_changes(current: str, changes: dict, by: str) -> None:
    """Raises Conflict for changes that this status does not allow to them, Invalid for a cost that comes too early."""
    if "status" in changes:
        check_step(current, changes["status"], by)
    if "mechanic_id" in changes and current in FINAL:
        raise Conflict(f"A booking that is {current} keeps its mechanic.")
    if not CORRECTIONS.isdisjoint(changes) and (current in FINAL or (by != "admin" and current not in OWNER_CHANGES)):
        raise Conflict(f"A booking that is {current} can no longer be corrected.")
    if "completed" not in (current, changes.get("status")):
        sent = [name for column, name in OF_SERVICE.items() if changes.get(column) is not None]
        if sent:
            raise Invalid(fields=dict.fromkeys(sent, "Only a completed booking has this."))


def check_step(current: str, wanted: str, by: str) -> None:
    if wanted not in NEXT[current]:
        raise Conflict(f"A booking that is {current} cannot become {wanted}.")
    if wanted == "cancelled" and by != "admin" and current not in OWNER_CHANGES:
        raise Conflict("The service has begun: please call us to cancel it.")


def mail_about(before: dict, changes: dict) -> str | None:
    """The kind of the mail that tells the customer of these changes; None for those that they are not told of."""
    status = changes.get("status")
    if status in ("confirmed", "completed", "cancelled"):
        return status
    mechanic_id = changes.get("mechanic_id")
    given = mechanic_id is not None and mechanic_id != before["mechanic_id"]
    return "mechanic" if given and (status or before["status"]) in ACTIVE else None


def takes_slot(before: dict, status: str, mechanic_id: int | None) -> bool:
    """Does a booking that comes to this status and mechanic take a slot it did not have?"""
    had = before["status"] in ACTIVE and before["mechanic_id"] == mechanic_id
    return mechanic_id is not None and status in ACTIVE and not had


def free_slots(active: int, capacity: int) -> int:
    """Of a mechanic with so many active bookings."""
    return max(0, capacity - active)


def check_capacity(active: int, capacity: int) -> None:
    if not free_slots(active, capacity):
        raise Conflict("This mechanic has no free slot.")


def mean_rating(total: int, count: int) -> float:
    """The mean of whole ratings to one decimal, halves up; in whole numbers, where no half is lost."""
    return (20 * total + count) // (2 * count) / 10
