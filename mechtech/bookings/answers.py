"""What requests about bookings are answered with."""

from marshmallow import fields, validate

from mechtech.bookings.rules import STATUSES
from mechtech.mechanics.answers import MechanicName
from mechtech.web.answers import Answer, Cursor, Posted, Time, Told, Total
from mechtech.web.fields import about

REFERENCE = about("For people: what to tell on the phone. It is as good as the number in a path.", "BK000025")


def _status():
    return fields.String(validate=validate.OneOf(STATUSES))


class Booked(Posted):
    id = fields.String(metadata=REFERENCE)
    booking_id = fields.Integer(data_key="bookingId", metadata=about(example=25))
    status = _status()
    booking_token = fields.String(
        data_key="bookingToken",
        metadata={
            "optional": True,
            **about("Opens this one booking for 90 days. Only where the booking is not a user's.", "eyJhbGci…"),
        },
    )


class Assigned(MechanicName):
    phone = fields.String(metadata=about(example="+1 555 0199"))


class Booking(Answer):
    id = fields.Integer(metadata=about(example=25))
    user_id = fields.Integer(allow_none=True, metadata=about("Null for a guest's booking."))
    name = fields.String(metadata=about(example="Rita Vance"))
    email = fields.String(metadata=about(example="rita@mail.example"))
    phone = fields.String(allow_none=True, metadata=about(example="+1 212-555-0108"))
    vehicle_type = fields.String(metadata=about(example="Car"))
    vehicle_brand = fields.String(metadata=about(example="Fiat"))
    vehicle_model = fields.String(metadata=about(example="500"))
    service_type = fields.String(metadata=about(example="Flat Tire"))
    description = fields.String(allow_none=True, metadata=about("What has happened."))
    location = fields.String(
        allow_none=True, metadata=about("Where the vehicle is, for a person.", "Canal St, New York")
    )
    latitude = fields.Float(allow_none=True, metadata=about(example=40.7187))
    longitude = fields.Float(allow_none=True, metadata=about(example=-74.0007))
    status = _status()
    mechanic_id = fields.Integer(allow_none=True, metadata=about(example=4))
    created_at = Time()
    updated_at = Time()
    reference = fields.String(metadata=REFERENCE)
    mechanic = fields.Nested(Assigned, allow_none=True)
    cost = fields.Float(allow_none=True, metadata=about("Known once it is completed, or null."))


class Bookings(Answer):
    total = Total()
    bookings = fields.List(fields.Nested(Booking))
    next_cursor = Cursor()


class Service(Answer):
    service_date = Time("When it was done.")
    cost = fields.Float(allow_none=True, metadata=about(example=75.5))
    rating = fields.Integer(allow_none=True, metadata=about("From the customer's review.", 5))
    review = fields.String(allow_none=True, metadata=about(example="Quick and friendly."))
    mechanic = fields.Nested(MechanicName, allow_none=True)


class Step(Answer):
    status = _status()
    at = Time()
    by = fields.String(
        validate=validate.OneOf(("guest", "customer", "admin")), metadata=about("Who brought the booking there.")
    )


class WholeBooking(Booking):
    service = fields.Nested(Service, allow_none=True, metadata=about("What it ended in, once it is completed."))
    history = fields.List(fields.Nested(Step), metadata=about("Every status that it had, the oldest first."))


class OneBooking(Answer):
    booking = fields.Nested(WholeBooking)


class BookingChanged(Told):
    booking_id = fields.Integer(data_key="bookingId", metadata=about(example=25))
    status = _status()


class Reviewed(Posted):
    rating = fields.Integer(metadata=about("The rating that was given.", 5))
