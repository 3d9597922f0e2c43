"""The rules of the business, as data and small functions: the contract's section The life of a booking."""

from mechtech.errors import Conflict, Forbidden, Invalid
from mechtech.web.authentication import Caller

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


def opens(booking: dict, caller: Caller) -> bool:
    """Whether they may see and cancel it: its user, an admin, or the holder of its token."""
    if caller.user is not None:
        return caller.is_admin or booking["user_id"] == caller.user_id
    return (caller.booking_id, caller.booking_made) == (booking["id"], booking["created_at"])


def check_changes(current: str, changes: dict, by: str) -> None:
    """Raises Forbidden for what is not theirs to change, Invalid for a cost too early, Conflict for a wrong status.

    An owner may cancel, and correct how to find and reach them. current: the booking's status. by: the caller's role.
    """
    wanted, is_admin = changes.get("status"), by == "admin"
    if not is_admin and not changes.keys() <= CORRECTIONS | ({"status"} if wanted == "cancelled" else set()):
        raise Forbidden("You may only cancel this booking, or correct your phone, description and place.")
    if "completed" not in (current, wanted):
        early = [name for column, name in OF_SERVICE.items() if changes.get(column) is not None]
        if early:
            raise Invalid(fields=dict.fromkeys(early, "Only a completed booking has this."))
    if wanted is not None and wanted not in NEXT[current]:
        raise Conflict(f"A booking that is {current} cannot become {wanted}.")
    is_open = current not in FINAL if is_admin else current in OWNER_CHANGES
    if wanted == "cancelled" and not is_open:
        raise Conflict("The service has begun: please call us to cancel it.")
    if "mechanic_id" in changes and current in FINAL:
        raise Conflict(f"A booking that is {current} keeps its mechanic.")
    if not CORRECTIONS.isdisjoint(changes) and not is_open:
        raise Conflict(f"A booking that is {current} can no longer be corrected.")


def mail_about(before: dict, changes: dict) -> str | None:
    """The kind of the mail that tells the customer of these changes; None for those that they are not told of."""
    status = changes.get("status")
    if status in ("confirmed", "completed", "cancelled"):
        return status
    mechanic_id = changes.get("mechanic_id")
    given = mechanic_id is not None and mechanic_id != before["mechanic_id"]
    return "mechanic" if given and (status or before["status"]) in ACTIVE else None


def takes_slot(before: dict, after: dict) -> bool:
    """Whether a change takes a slot of a mechanic that the booking did not have."""
    had = before["status"] in ACTIVE and before["mechanic_id"] == after["mechanic_id"]
    return after["mechanic_id"] is not None and after["status"] in ACTIVE and not had
