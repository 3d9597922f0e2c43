"""What requests about mechanics may carry."""

from marshmallow import ValidationError, post_load, validates_schema

from mechtech.web.fields import Choice, Decimal, Digits, Email, Flag, Length, Phone, Range, Text, Whole, about
from mechtech.web.schemas import WITH, Input, Pair, Part, Place


class Mechanic(Place):
    name = Text(required=True, validate=Length(1, 100), metadata=about(example="Max Torque"))
    email = Email(required=True)
    phone = Phone(required=True)
    experience_years = Whole(load_default=0, allow_none=True, validate=Range(0, 80), metadata=about(example=18))
    specializations = Text(
        load_default="",
        allow_none=True,
        validate=Length(max=500),
        metadata=about("Separated by commas.", "Engine Repair, Towing"),
    )
    verified = Flag(load_default=0, metadata=about("Only verified mechanics are shown and given bookings."))

    @post_load
    def fill(self, data, **kwargs):
        """Their columns know no NULL."""
        for name in ("experience_years", "specializations"):
            if name in data and data[name] is None:
                data[name] = self.fields[name].load_default
        return data


class MechanicUpdate(Mechanic, Part):
    """Any part of a mechanic, one at least. Whether they are verified changes only when it is said."""

    min_properties = 1

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_any(self, data, original, **kwargs):
        if not self.fields.keys() & original.keys():
            raise ValidationError({name: ["At least one field is required."] for name in self.fields})


class MechanicQuery(Pair, Input):
    """The radius is in km."""

    latitude = Decimal(load_default=None, validate=Range(-90, 90), metadata=about(WITH.format("longitude")))
    longitude = Decimal(load_default=None, validate=Range(-180, 180), metadata=about(WITH.format("latitude")))
    radius = Decimal(
        load_default=50.0, validate=Range(min=0, min_inclusive=False), metadata=about("In km, around the place.")
    )
    specialization = Text(load_default="", metadata=about("A part of the text, in any case."))
    available = Choice(("true", "false"), load_default="false", metadata=about("`true`: those with a free slot."))
    limit = Digits(load_default=100, validate=Range(1, 200), metadata=about("How many at most."))


class AdminMechanicQuery(MechanicQuery):
    """An admin may ask for the unverified ones, or for all."""

    verified = Choice(("1", "0", "all"), load_default="1", metadata=about("For an admin only."))
