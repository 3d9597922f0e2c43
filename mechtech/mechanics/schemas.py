import sys
from math import ulp

from marshmallow import ValidationError, missing, validates_schema

from mechtech.web.fields import Choice, Decimal, Digits, Email, Flag, Part, Phone, Place, Text, Whole


class Mechanic(Place):
    name = Text(2, 100)
    email = Email()
    phone = Phone()
    experience_years = Whole(0, 80, optional=True, empty=0)
    specializations = Text(high=500, optional=True, empty="")
    verified = Flag(optional=True, empty=0)


class MechanicUpdate(Mechanic, Part):
    """Any part of a mechanic, one at least. Whether they are verified changes only when it is said."""

    verified = Flag(optional=True, empty=missing)

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_any(self, data, original, **kwargs):
        if not self.fields.keys() & original.keys():
            raise ValidationError({name: ["One field at least is needed."] for name in self.fields})


class Radius(Decimal):
    """In km, above 0."""

    def __init__(self):
        super().__init__(ulp(0.0), sys.float_info.max, load_default=50.0)
        self.bounds = "This must be above 0."


class MechanicQuery(Place):
    latitude = Decimal(-90, 90, load_default=None)
    longitude = Decimal(-180, 180, load_default=None)
    radius = Radius()
    specialization = Text(0, load_default="")
    available = Choice(("true", "false"), load_default="false")
    limit = Digits(1, 200, load_default=100)


class AdminMechanicQuery(MechanicQuery):
    """An admin may ask for the unverified ones, or for all."""

    verified = Choice(("1", "0", "all"), load_default="1")
