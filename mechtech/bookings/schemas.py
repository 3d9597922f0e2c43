"""What requests about bookings carry, and what they are answered with."""

import re
from datetime import datetime

from marshmallow import ValidationError, fields, validate, validates_schema

from mechtech.bookings.rules import OF_SERVICE, STATUSES
from mechtech.mechanics.schemas import MechanicName
from mechtech.texts import ascii_address
from mechtech.web.answers import Answer, Time
from mechtech.web.fields import Choice, Digits, Email, Length, Number, Phone, Range, Text, Whole, about
from mechtech.web.paging import Page
from mechtech.web.schemas import Body, Part, Place

MOMENT = "A date, or a time in UTC."
COMPLETED = "Only with the status `completed`, or later to correct it."
# Days and times that there are, in years from 1 to 9999.
LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
DAY = (
    "(?!0000)(?:[0-9]{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|"
    f"(?:0[13578]|1[02])-31)|{LEAP_YEAR}-02-29)"
)
TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?(?:Z|\+00:00)"
ISO_8601 = re.compile(f"{DAY}(?:T{TIME})?")


class Moment(Text):
    """An ISO 8601 date or UTC time; loads as a time to the second, a date as the beginning of the day."""

    default_error_messages = {"form": "This must be a date like 2026-01-19, or a time like 2026-01-19T10:30:00Z."}
    described = {"description": MOMENT}
    form = ISO_8601
    time_of_date = "T00:00:00Z"

    def _deserialize(self, value, attr, data, **kwargs) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if "T" not in text:
            return text + self.time_of_date
        return datetime.fromisoformat(text).isoformat(timespec="seconds").replace("+00:00", "Z")


class EndMoment(Moment):
    """The end of a range; a date means the end of the day."""

    time_of_date = "T24:00:00Z"


class ReachableBody(Place):
    """How to find the vehicle and reach the customer, which may be corrected later."""

    phone = Phone(load_default=None)
    description = Text(
        multiline=True, load_default=None, validate=Length(max=2000), description="What has happened. Lines may break."
    )
    location = Text(load_default=None, validate=Length(max=500), description="Where the vehicle is, for a person.")


class BookingBody(ReachableBody):
    name = Text(required=True, validate=Length(1, 100), example="Rita Vance")
    email = Email(required=True)
    vehicle_type = Text(data_key="vehicleType", required=True, validate=Length(1, 50), example="Car")
    vehicle_brand = Text(data_key="brand", required=True, validate=Length(1, 50), example="Fiat")
    vehicle_model = Text(data_key="model", required=True, validate=Length(1, 50), example="500")
    service_type = Text(required=True, validate=Length(1, 100), example="Flat Tire")


class BookingUpdateBody(Part, ReachableBody):
    """One field at least. An owner's may be `status` (cancelled) and the corrections; the rest is an admin's.

    The mechanic must be verified; null takes the mechanic off.
    """

    min_properties = 1

    status = Choice(STATUSES, example="confirmed")
    mechanic_id = Whole(data_key="mechanicId", load_default=None, validate=Range(1, 2**63 - 1), example=4)
    cost = Number(load_default=None, validate=Range(0, 10_000_000), description=COMPLETED)
    service_date = Moment(data_key="serviceDate", description=f"{MOMENT} {COMPLETED}")

    @validates_schema(skip_on_field_errors=False)
    def check_completed(self, data, **kwargs):
        if data.get("status") not in (None, "completed"):
            early = [name for column, name in OF_SERVICE.items() if data.get(column) is not None]
            if early:
                raise ValidationError({name: ["This goes only with the status completed."] for name in early})


class ReviewBody(Body):
    rating = Whole(required=True, validate=Range(1, 5), example=5)
    review = Text(multiline=True, load_default=None, validate=Length(max=2000), example="Quick and friendly.")


class LinkBody(Body):
    """The address may be any text: it only has to be the booking's."""

    email = Text(required=True, example="rita@mail.example")


class BookingQuery(Page):
    """What the holder of an account may ask the list of bookings for."""

    list_name = "bookings"

    status = Choice(STATUSES, load_default=None)
    begin = Moment(data_key="from", load_default=None, description=f"Made then or later. {MOMENT}")
    end = EndMoment(data_key="to", load_default=None, description=f"Made before, or on this day. {MOMENT}")
    order = Choice(("newest", "oldest"), load_default="newest", description="Which come first.")


class AdminBookingQuery(BookingQuery):
    """`q` is part of the reference, name, e-mail address or phone."""

    mechanic_id = Digits(
        data_key="mechanicId", load_default=None, validate=Range(1, 999_999_999), description="For an admin only."
    )
    search = Text(
        data_key="q",
        load_default=None,
        validate=Length(1, 100),
        post_load=[ascii_address, str.casefold],
        description="Part of the reference, name, address or phone. For an admin only.",
    )


REFERENCE = fields.String(metadata=about("To tell on the phone. In a path it is as good as the number.", "BK000025"))
BOOKING_ID = fields.Integer(metadata=about(example=25))
STATUS = fields.String(validate=validate.OneOf(STATUSES))
BOOKING_TOKEN = fields.String(metadata=about("Opens a guest's booking, for 90 days.", "eyJhbGci…", optional=True))
RATING = fields.Integer(metadata=about("The rating that was given.", 5))


class Assigned(MechanicName):
    phone = fields.String(metadata=about(example="+1 555 0199"))


class Booking(Answer):
    id = BOOKING_ID
    user_id = fields.Integer(allow_none=True, metadata=about("Null for a guest's booking."))
    name = fields.String(metadata=about(example="Rita Vance"))
    email = fields.String(metadata=about(example="rita@mail.example"))
    phone = fields.String(allow_none=True, metadata=about(example="+1 212-555-0108"))
    vehicle_type = fields.String(metadata=about(example="Car"))
    vehicle_brand = fields.String(metadata=about(example="Fiat"))
    vehicle_model = fields.String(metadata=about(example="500"))
    service_type = fields.String(metadata=about(example="Flat Tire"))
    description = fields.String(allow_none=True, metadata=about("What has happened."))
    location = fields.String(allow_none=True, metadata=about("Where the vehicle is.", "Canal St, New York"))
    latitude = fields.Float(allow_none=True, metadata=about(example=40.7187))
    longitude = fields.Float(allow_none=True, metadata=about(example=-74.0007))
    status = STATUS
    mechanic_id = fields.Integer(allow_none=True, metadata=about(example=4))
    created_at = Time()
    updated_at = Time()
    reference = REFERENCE
    mechanic = fields.Nested(Assigned, allow_none=True)
    cost = fields.Float(allow_none=True, metadata=about("Known once it is completed, or null."))


class Service(Answer):
    service_date = Time("When it was done.")
    cost = fields.Float(allow_none=True, metadata=about(example=75.5))
    rating = fields.Integer(allow_none=True, metadata=about("From the customer's review.", 5))
    review = fields.String(allow_none=True, metadata=about(example="Quick and friendly."))
    mechanic = fields.Nested(MechanicName, allow_none=True)


class Step(Answer):
    status = STATUS
    at = Time()
    by = fields.String(validate=validate.OneOf(("guest", "customer", "admin")), metadata=about("Who brought it there."))


class WholeBooking(Booking):
    service = fields.Nested(Service, allow_none=True, metadata=about("What it ended in, once it is completed."))
    history = fields.List(fields.Nested(Step), metadata=about("Every status that it had, the oldest first."))
