"""What requests about bookings may carry."""

import re
from datetime import datetime, timedelta

from marshmallow import ValidationError, missing, validates_schema

from mechtech.bookings.rules import STATUSES
from mechtech.web.fields import (
    Choice,
    Digits,
    Email,
    Field,
    IdempotencyKey,
    Input,
    Number,
    Part,
    Phone,
    Place,
    Text,
    Whole,
)
from mechtech.web.paging import Page

ISO_8601 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|\+00:00))?")


class Booking(Place):
    name = Text(2, 100)
    email = Email()
    phone = Phone(optional=True)
    vehicle_type = Text(1, 50, data_key="vehicleType")
    vehicle_brand = Text(1, 50, data_key="brand")
    vehicle_model = Text(1, 50, data_key="model")
    service_type = Text(1, 100)
    description = Text(high=2000, optional=True)
    location = Text(high=500, optional=True)
    idempotency_key = IdempotencyKey()


class Moment(Field):
    """An ISO 8601 date or UTC time; loads as a time to the second."""

    def check(self, value):
        try:
            if not isinstance(value, str) or not ISO_8601.fullmatch(value.strip()):
                raise ValueError(value)
            moment = datetime.fromisoformat(value.strip()).replace(tzinfo=None)
        except ValueError:
            raise ValidationError("This must be a date like 2026-01-19, or a time like 2026-01-19T10:30:00Z.") from None
        return f"{moment.isoformat(timespec='seconds')}Z"


class BookingUpdate(Part, Place):
    """One field at least. An owner's may be `status` (cancelled) and the corrections; the rest is an admin's."""

    status = Choice(STATUSES, optional=True, empty=missing)
    mechanic_id = Whole(1, 2**63 - 1, data_key="mechanicId", optional=True)
    cost = Number(0, 10_000_000, optional=True)
    service_date = Moment(data_key="serviceDate", optional=True)
    phone = Phone(optional=True)
    description = Text(high=2000, optional=True)
    location = Text(high=500, optional=True)

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_together(self, data, original, **kwargs):
        wrong = {}
        names = {field.data_key or name for name, field in self.fields.items()} - {"status"}
        if original.get("status") in (None, "") and names.isdisjoint(original):
            wrong["status"] = ["At least one field is needed."]
        if data.get("status") not in (None, "completed"):
            for name in ("cost", "serviceDate"):
                if original.get(name) not in (None, ""):
                    wrong[name] = ["This goes only with the status completed."]
        if wrong:
            raise ValidationError(wrong)


class Review(Input):
    rating = Whole(1, 5)
    review = Text(high=2000, optional=True)


class EndMoment(Moment):
    """The end of a range. A date means its last second: the range is up to the next day."""

    def check(self, value):
        moment = super().check(value)
        if "T" in value:
            return moment
        return f"{(datetime.fromisoformat(moment[:-1]) + timedelta(days=1)).isoformat()}Z"


class BookingQuery(Page):
    """What anybody with an account may ask the list of bookings for."""

    list_name = "bookings"

    status = Choice(STATUSES, load_default=None)
    begin = Moment(data_key="from", load_default=None)
    end = EndMoment(data_key="to", load_default=None)
    order = Choice(("newest", "oldest"), load_default="newest")


class SearchText(Text):
    """A text that is looked for in any case; loads as the pattern of a LIKE with ! as its escape."""

    def check(self, value):
        escaped = re.sub("([!%_])", r"!\1", super().check(value).casefold())
        return f"%{escaped}%"


class AdminBookingQuery(BookingQuery):
    """`q` is part of the reference, name, e-mail address or phone."""

    mechanic_id = Digits(1, 999_999_999, data_key="mechanicId", load_default=None)
    search = SearchText(1, 100, data_key="q", load_default=None)
