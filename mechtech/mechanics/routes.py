"""/api/mechanics: the directory, and who is free."""

from flask import Blueprint, current_app

from mechtech.bookings import rules
from mechtech.errors import NotFound
from mechtech.mechanics import repository, search
from mechtech.mechanics.answers import Availability, MechanicAdded, Mechanics, MechanicSaved, OneMechanic
from mechtech.mechanics.schemas import AdminMechanicQuery, Mechanic, MechanicQuery, MechanicUpdate
from mechtech.web.answers import gives
from mechtech.web.authentication import Caller, admin, visitor
from mechtech.web.body import asks, takes

mechanics = Blueprint("mechanics", __name__, url_prefix="/api/mechanics")


@mechanics.get("")
@asks(MechanicQuery, for_admin=AdminMechanicQuery)
@visitor
@gives(Mechanics)
def list_matching(query: dict, caller: Caller) -> dict:
    """List the mechanics: the best rated first, or the nearest to a place."""
    capacity = _capacity() if query["available"] == "true" else None
    verified = {"1": 1, "0": 0, "all": None}[query.get("verified", "1")]
    match = query["specialization"], capacity, verified, query["limit"]
    if query["latitude"] is None:
        found, total = search.list_best(*match)
    else:
        found, total = search.list_near(query["latitude"], query["longitude"], query["radius"], *match)
    return {"total": total, "mechanics": found}


@mechanics.get("/<row_id:id>")
@visitor
@gives(OneMechanic, refusals=(NotFound,))
def show(id: int, caller: Caller) -> dict:
    """Show a mechanic and their newest services."""
    return {"mechanic": _shown(id, caller), "recentServices": repository.find_recent_services(id)}


@mechanics.get("/<row_id:id>/availability")
@visitor
@gives(Availability, refusals=(NotFound,))
def availability(id: int, caller: Caller) -> dict:
    """Tell how many slots a mechanic has, and how many are free."""
    mechanic = _shown(id, caller)
    capacity, current = _capacity(), repository.count_active(id)
    free = rules.free_slots(current, capacity)
    return {
        "mechanic": {"id": id, "name": mechanic["name"]},
        "available": free > 0,
        "capacity": capacity,
        "currentBookings": current,
        "availableSlots": free,
    }


@mechanics.post("")
@takes(Mechanic)
@admin
@gives(MechanicAdded, 201)
def create(fields: dict, caller: Caller) -> tuple[dict, int]:
    """Add a mechanic."""
    return {"message": "The mechanic is added.", "mechanic": repository.create(fields)}, 201


@mechanics.put("/<row_id:id>")
@takes(MechanicUpdate)
@admin
@gives(MechanicSaved, refusals=(NotFound,))
def update(id: int, fields: dict, caller: Caller) -> dict:
    """Change a mechanic."""
    return {"message": "The mechanic is saved.", "mechanic": repository.update(id, fields)}


def _shown(id: int, caller: Caller) -> dict:
    """The mechanic, if the caller may see them; else NotFound, as for one that does not exist."""
    mechanic = repository.find(id)
    served = not mechanic["verified"] and repository.serves(id, caller.user_id, caller.booking_id)
    if not rules.shows(mechanic, caller.user, served):
        raise NotFound
    return mechanic


def _capacity() -> int:
    return current_app.config["settings"].mechanic_capacity
