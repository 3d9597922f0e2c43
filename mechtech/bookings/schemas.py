"""What requests about bookings may carry."""

import re
from datetime import datetime, timedelta

from marshmallow import ValidationError, validates_schema

from mechtech.bookings.rules import STATUSES
from mechtech.texts import ascii_address
from mechtech.web.fields import Choice, Digits, Email, Length, Number, Phone, Range, Text, Whole, about
from mechtech.web.paging import Page
from mechtech.web.schemas import Body, Part, Place

DESCRIPTION = "What has happened. Lines may break."
LOCATION = "Where the vehicle is, for a person."
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


class Booking(Place):
    name = Text(required=True, validate=Length(1, 100), metadata=about(example="Rita Vance"))
    email = Email(required=True)
    phone = Phone(load_default=None)
    vehicle_type = Text(data_key="vehicleType", required=True, validate=Length(1, 50), metadata=about(example="Car"))
    vehicle_brand = Text(data_key="brand", required=True, validate=Length(1, 50), metadata=about(example="Fiat"))
    vehicle_model = Text(data_key="model", required=True, validate=Length(1, 50), metadata=about(example="500"))
    service_type = Text(required=True, validate=Length(1, 100), metadata=about(example="Flat Tire"))
    description = Text(multiline=True, load_default=None, validate=Length(max=2000), metadata=about(DESCRIPTION))
    location = Text(load_default=None, validate=Length(max=500), metadata=about(LOCATION, "Canal St, New York"))


class Moment(Text):
    """An ISO 8601 date or UTC time; loads as a time to the second."""

    default_error_messages = {
        "not_moment": "This must be a date like 2026-01-19, or a time like 2026-01-19T10:30:00Z.",
    }
    described = {"pattern": f"^{ISO_8601.pattern}$", "description": MOMENT}

    def _deserialize(self, value, attr, data, **kwargs) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not ISO_8601.fullmatch(text):
            raise self.make_error("not_moment")
        moment = datetime.fromisoformat(text).replace(tzinfo=None)
        return f"{moment.isoformat(timespec='seconds')}Z"


class BookingUpdate(Part, Place):
    """One field at least. An owner's may be `status` (cancelled) and the corrections; the rest is an admin's."""

    min_properties = 1

    status = Choice(STATUSES, metadata=about(example="confirmed"))
    mechanic_id = Whole(
        data_key="mechanicId",
        load_default=None,
        validate=Range(1, 2**63 - 1),
        metadata=about("A verified mechanic; null takes the mechanic off.", 4),
    )
    cost = Number(load_default=None, validate=Range(0, 10_000_000), metadata=about(COMPLETED))
    service_date = Moment(data_key="serviceDate", load_default=None, metadata=about(f"{MOMENT} {COMPLETED}"))
    phone = Phone(load_default=None)
    description = Text(multiline=True, load_default=None, validate=Length(max=2000), metadata=about(DESCRIPTION))
    location = Text(load_default=None, validate=Length(max=500), metadata=about(LOCATION))

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_together(self, data, original, **kwargs):
        wrong = {}
        if original.get("status") in (None, "") and original.keys().isdisjoint(self.sent_names.keys() - {"status"}):
            wrong["status"] = ["At least one field is required."]
        if data.get("status") not in (None, "completed"):
            for name in ("cost", "serviceDate"):
                if original.get(name) not in (None, ""):
                    wrong[name] = ["This goes only with the status completed."]
        if wrong:
            raise ValidationError(wrong)


class Review(Body):
    rating = Whole(required=True, validate=Range(1, 5), metadata=about(example=5))
    review = Text(
        multiline=True, load_default=None, validate=Length(max=2000), metadata=about(example="Quick and friendly.")
    )


class Link(Body):
    """The address may be any text: it only has to be the booking's."""

    email = Text(required=True, metadata=about(example="rita@mail.example"))


class EndMoment(Moment):
    """The end of a range. A date means its last second: the range is up to the next day."""

    def _deserialize(self, value, attr, data, **kwargs) -> str:
        moment = super()._deserialize(value, attr, data, **kwargs)
        if "T" in value:
            return moment
        try:
            return f"{(datetime.fromisoformat(moment[:-1]) + timedelta(days=1)).isoformat()}Z"
        except OverflowError:  # the last day that Python knows
            return moment


class BookingQuery(Page):
    """What the holder of an account may ask the list of bookings for."""

    list_name = "bookings"

    status = Choice(STATUSES, load_default=None)
    begin = Moment(data_key="from", load_default=None, metadata=about(f"Made then or later. {MOMENT}"))
    end = EndMoment(data_key="to", load_default=None, metadata=about(f"Made before, or on this day. {MOMENT}"))
    order = Choice(("newest", "oldest"), load_default="newest", metadata=about("Which come first."))


def like_pattern(text: str) -> str:
    """The pattern of a LIKE, with ! as its escape, for what has the text in it in any case."""
    escaped = re.sub("([!%_])", r"!\1", text.casefold())
    return f"%{escaped}%"


class AdminBookingQuery(BookingQuery):
    """`q` is part of the reference, name, e-mail address or phone."""

    mechanic_id = Digits(
        data_key="mechanicId",
        load_default=None,
        validate=Range(1, 999_999_999),
        metadata=about("Whom they are given to. For an admin only."),
    )
    search = Text(
        data_key="q",
        load_default=None,
        validate=Length(1, 100),
        post_load=[ascii_address, like_pattern],
        metadata=about("A part of the reference, name, e-mail address or phone. For an admin only."),
    )
