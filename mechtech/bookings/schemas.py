import re
from datetime import datetime

from marshmallow import ValidationError, missing, validates_schema

from mechtech.bookings.rules import STATUSES
from mechtech.web.fields import (
    Choice,
    Email,
    Field,
    IdempotencyKey,
    Input,
    Number,
    Page,
    Part,
    Phone,
    Place,
    Text,
    Whole,
)

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


class ServiceDate(Field):
    """An ISO 8601 date or UTC time; loads as a time to the second."""

    def check(self, value):
        try:
            if not isinstance(value, str) or not ISO_8601.fullmatch(value.strip()):
                raise ValueError(value)
            moment = datetime.fromisoformat(value.strip()).replace(tzinfo=None)
        except ValueError:
            raise ValidationError("This must be a date like 2026-01-19, or a time like 2026-01-19T10:30:00Z.") from None
        return f"{moment.isoformat(timespec='seconds')}Z"


class BookingUpdate(Part):
    status = Choice(STATUSES, optional=True, empty=missing)
    mechanic_id = Whole(1, 2**63 - 1, data_key="mechanicId", optional=True)
    cost = Number(0, 10_000_000, optional=True)
    service_date = ServiceDate(data_key="serviceDate", optional=True)

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_together(self, data, original, **kwargs):
        wrong = {}
        if original.get("status") in (None, "") and "mechanicId" not in original:
            wrong["status"] = ["A status or a mechanicId is needed."]
        if data.get("status") != "completed":
            for name in ("cost", "serviceDate"):
                if original.get(name) not in (None, ""):
                    wrong[name] = ["This goes only with the status completed."]
        if wrong:
            raise ValidationError(wrong)


class Review(Input):
    rating = Whole(1, 5)
    review = Text(high=2000, optional=True)


class BookingQuery(Page):
    status = Choice(STATUSES, load_default=None)
