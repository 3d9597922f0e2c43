"""/api/mechanics: the directory, and who is free."""

from flask import Blueprint, current_app

from mechtech.database import get_db
from mechtech.errors import NotFound, found
from mechtech.mechanics import repository, schemas, search
from mechtech.mechanics.schemas import CAPACITY, FOUND, FREE, SLOTS, TAKEN
from mechtech.web.answers import SENTENCE, gives
from mechtech.web.authentication import Caller, admin, visitor
from mechtech.web.body import asks, takes

mechanics = Blueprint("mechanics", __name__, url_prefix="/api/mechanics")


@mechanics.get("")
@asks(schemas.MechanicQuery, for_admin=schemas.AdminMechanicQuery)
@visitor
@gives(total=FOUND, mechanics=[schemas.MechanicFound])
def list_matching(query: dict, caller: Caller) -> dict:
    """List the mechanics: the best rated first, or the nearest to a place."""
    filters = {
        "verified": {"1": 1, "0": 0, "all": None}[query.get("verified", "1")],
        "specialization": query["specialization"],
        "capacity": _capacity() if query["available"] == "true" else None,
    }
    if query["latitude"] is None:
        matching, total = search.list_best(filters, query["limit"])
    else:
        place = query["latitude"], query["longitude"], query["radius"]
        matching, total = search.list_near(*place, filters, query["limit"])
    return {"total": total, "mechanics": matching}


@mechanics.get("/<row_id:id>")
@visitor
@gives(mechanic=schemas.Mechanic, recentServices=[schemas.RecentService])
def show(id: int, caller: Caller) -> dict:
    """Show a mechanic and their ten newest services."""
    mechanic, services = get_db().snapshot(
        lambda tx: (repository.find(tx, id), repository.find_recent_services(tx, id))
    )
    return {"mechanic": _shown(mechanic, caller), "recentServices": services}


@mechanics.get("/<row_id:id>/availability")
@visitor
@gives(mechanic=schemas.MechanicName, available=FREE, capacity=CAPACITY, currentBookings=TAKEN, availableSlots=SLOTS)
def availability(id: int, caller: Caller) -> dict:
    """Tell how many slots a mechanic has, and how many are free.

    Bookings that are confirmed or in progress take one each.
    """
    db = get_db()
    mechanic = _shown(repository.find(db, id), caller)
    capacity, current = _capacity(), repository.count_active(db, id)
    return {
        "mechanic": {"id": id, "name": mechanic["name"]},
        "available": current < capacity,
        "capacity": capacity,
        "currentBookings": current,
        "availableSlots": max(0, capacity - current),
    }


@mechanics.post("")
@takes(schemas.MechanicBody)
@admin
@gives(201, message=SENTENCE, mechanic=schemas.Mechanic)
def create(fields: dict, caller: Caller) -> tuple[dict, int]:
    """Add a mechanic."""
    return {"message": "The mechanic is added.", "mechanic": repository.create(fields)}, 201


@mechanics.put("/<row_id:id>")
@takes(schemas.MechanicUpdateBody)
@admin
@gives(message=SENTENCE, mechanic=schemas.Mechanic)
def update(id: int, fields: dict, caller: Caller) -> dict:
    """Change a mechanic."""
    return {"message": "The mechanic is saved.", "mechanic": repository.update(id, fields)}


def _shown(mechanic: dict | None, caller: Caller) -> dict:
    """The mechanic, if the caller may see them; else raises NotFound, as for one that does not exist.

    Unverified ones are for admins, and for those who have a booking with them.
    """
    mechanic = found(mechanic)
    if not (mechanic["verified"] or caller.is_admin or repository.serves(mechanic["id"], caller)):
        raise NotFound
    return mechanic


def _capacity() -> int:
    return current_app.config["settings"].mechanic_capacity
