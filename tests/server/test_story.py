"""From sign-up to review, as people live it, against the server as it runs in production."""

from tests.commands import flask, succeeded
from tests.conftest import BOOKING


def test_from_sign_up_to_review(server):
    # A guest's car stops.
    answer = server.call("POST", "/api/booking/", BOOKING)
    assert answer.status == 201
    made = answer.json
    assert (made["id"], made["bookingId"], made["status"]) == ("BK000001", 1, "pending")
    guest = made["bookingToken"]

    # The office signs up; a command makes it an admin, with a new password.
    office = {"name": "The Office", "email": "office@example.com", "password": "password123"}
    assert server.call("POST", "/api/auth/signup", office).status == 201
    succeeded(flask(server.environ, "create-admin", "--existing", "OFFICE@example.com", typed="password456\n"))
    answer = server.call("POST", "/api/auth/login", {**office, "password": "password456"})
    assert answer.json["user"]["role"] == "admin"
    admin = answer.json["token"]

    # It finds the booking, adds a mechanic, and confirms.
    (booking,) = server.call("GET", "/api/booking/?status=pending", token=admin).json["bookings"]
    assert (booking["reference"], booking["name"], booking["user_id"]) == ("BK000001", "John Doe", None)
    mechanic = {
        "name": "Max Torque",
        "email": "max@garage.example",
        "phone": "+1 555 0199",
        "latitude": 40.7128,
        "longitude": -74.006,
        "specializations": "Engine Repair, Towing",
        "verified": True,
    }
    max_id = server.call("POST", "/api/mechanics/", mechanic, token=admin).json["mechanic"]["id"]
    near = f"/api/mechanics/?latitude={BOOKING['latitude']}&longitude={BOOKING['longitude']}&specialization=engine"
    (found,) = server.call("GET", near).json["mechanics"]
    assert (found["id"], found["rating"]) == (max_id, 0)
    assert 0 < found["distance_km"] < 2
    free = {
        "mechanic": {"id": max_id, "name": "Max Torque"},
        "available": True,
        "capacity": 5,
        "currentBookings": 0,
        "availableSlots": 5,
    }
    assert server.call("GET", f"/api/mechanics/{max_id}/availability").json == free
    answer = server.call("PUT", "/api/booking/BK000001", {"status": "confirmed", "mechanicId": max_id}, token=admin)
    assert answer.status == 200
    assert (answer.json["bookingId"], answer.json["status"]) == (1, "confirmed")
    busy = {**free, "currentBookings": 1, "availableSlots": 4}
    assert server.call("GET", f"/api/mechanics/{max_id}/availability").json == busy

    # The guest looks on, and cannot review what is not done.
    booking = server.call("GET", "/api/booking/bk000001", token=guest).json["booking"]
    assert (booking["status"], booking["mechanic_id"], booking["service"]) == ("confirmed", max_id, None)
    assert server.call("POST", "/api/booking/1/review", {"rating": 4}, token=guest).status == 409

    # The service is done, and costs something.
    for step in ({"status": "in-progress"}, {"status": "completed", "cost": 149.5, "serviceDate": "2026-01-19"}):
        answer = server.call("PUT", "/api/booking/1", step, token=admin)
        assert (answer.status, answer.json["status"]) == (200, step["status"])
    assert server.call("GET", f"/api/mechanics/{max_id}/availability").json == free

    # The guest reviews, once.
    review = {"rating": 4, "review": "Quick and friendly."}
    answer = server.call("POST", "/api/booking/BK000001/review", review, token=guest)
    assert (answer.status, answer.json["rating"]) == (201, 4)
    assert server.call("POST", "/api/booking/1/review", review, token=guest).status == 409
    booking = server.call("GET", "/api/booking/1", token=guest).json["booking"]
    service = booking["service"]
    assert service == {
        "service_date": service["service_date"],
        "cost": 149.5,
        **review,
        "mechanic": {"id": max_id, "name": "Max Torque"},
    }
    assert service["service_date"].startswith("2026-01-19")
    steps = [(step["status"], step["by"]) for step in booking["history"]]
    assert steps == [("pending", "guest"), ("confirmed", "admin"), ("in-progress", "admin"), ("completed", "admin")]
    assert [step["at"] for step in booking["history"]] == sorted(step["at"] for step in booking["history"])

    # Everybody sees what the mechanic is worth, and nobody who the customer was.
    answer = server.call("GET", f"/api/mechanics/{max_id}")
    assert answer.json["mechanic"]["rating"] == 4
    (recent,) = answer.json["recentServices"]
    assert recent == {
        "id": recent["id"],
        "service_date": service["service_date"],
        "cost": 149.5,
        **review,
        "service_type": BOOKING["service_type"],
        "vehicle_type": BOOKING["vehicleType"],
    }
    assert BOOKING["name"].encode() not in answer.body
