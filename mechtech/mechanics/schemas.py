"""What requests about mechanics carry, and what they are answered with."""

from marshmallow import fields, post_load, validate

from mechtech.web.answers import Answer, Time
from mechtech.web.fields import Choice, Decimal, Digits, Email, Flag, Length, Phone, Range, Text, Whole, about
from mechtech.web.schemas import PAIR, Input, Pair, Part, Place


class MechanicBody(Place):
    name = Text(required=True, validate=Length(1, 100), example="Max Torque")
    email = Email(required=True)
    phone = Phone(required=True)
    experience_years = Whole(load_default=0, allow_none=True, validate=Range(0, 80), example=18)
    specializations = Text(
        load_default="",
        allow_none=True,
        validate=Length(max=500),
        description="Separated by commas.",
        example="Engine Repair, Towing",
    )
    verified = Flag(load_default=0, description="Only verified mechanics are shown and given bookings.")

    @post_load
    def fill(self, data, **kwargs):
        """Their columns know no NULL."""
        cleared = {"experience_years": 0, "specializations": ""}
        return data | {name: empty for name, empty in cleared.items() if data.get(name, empty) is None}


class MechanicUpdateBody(MechanicBody, Part):
    """Any part of a mechanic, one at least. Whether they are verified changes only when it is said."""

    min_properties = 1


class MechanicQuery(Pair, Input):
    """The radius is in km."""

    latitude = Decimal(load_default=None, validate=Range(-90, 90), description=PAIR)
    longitude = Decimal(load_default=None, validate=Range(-180, 180), description=PAIR)
    radius = Decimal(
        load_default=50.0, validate=Range(min=0, min_inclusive=False), description="In km, around the place."
    )
    specialization = Text(load_default=None, post_load=str.casefold, description="A part of the text, in any case.")
    available = Choice(("true", "false"), load_default="false", description="`true`: those with a free slot.")
    limit = Digits(load_default=100, validate=Range(1, 200), description="How many at most.")


class AdminMechanicQuery(MechanicQuery):
    """An admin may ask for the unverified ones, or for all."""

    verified = Choice(("1", "0", "all"), load_default="1", description="For an admin only.")


class MechanicName(Answer):
    id = fields.Integer(metadata=about(example=4))
    name = fields.String(metadata=about(example="Max Torque"))


class Mechanic(MechanicName):
    email = fields.String(metadata=about(example="max@garage.example"))
    phone = fields.String(metadata=about(example="+1 555 0199"))
    latitude = fields.Float(allow_none=True, metadata=about(example=40.7178))
    longitude = fields.Float(allow_none=True, metadata=about(example=-74.0431))
    rating = fields.Float(metadata=about("The mean of the reviews, from 1 to 5; 0 if there is none.", 4.5))
    experience_years = fields.Integer(metadata=about(example=18))
    specializations = fields.String(metadata=about("Separated by commas.", "Engine Repair, Towing"))
    verified = fields.Integer(validate=validate.OneOf((1, 0)))
    created_at = Time()
    updated_at = Time()
    review_count = fields.Integer(metadata=about(example=2))


class MechanicFound(Mechanic):
    distance_km = fields.Float(metadata=about("From the place in the query.", 2.92, optional=True))


class RecentService(Answer):
    """Nothing that tells who the customer was."""

    id = fields.Integer(metadata=about(example=14))
    service_date = Time()
    cost = fields.Float(allow_none=True, metadata=about(example=75.5))
    rating = fields.Integer(allow_none=True, metadata=about(example=5))
    review = fields.String(allow_none=True, metadata=about(example="Quick and friendly."))
    service_type = fields.String(metadata=about(example="Flat Tire"))
    vehicle_type = fields.String(metadata=about(example="Car"))


FOUND = fields.Integer(metadata=about("How many match, also where `limit` leaves some out.", 1))
FREE = fields.Boolean(metadata=about("Whether a slot is free.", True))
CAPACITY, TAKEN, SLOTS = (fields.Integer(metadata=about(example=number)) for number in (5, 1, 4))
