"""What requests about mechanics are answered with."""

from marshmallow import fields, validate

from mechtech.web.answers import Answer, Posted, Time, Told
from mechtech.web.fields import about


class Mechanic(Answer):
    id = fields.Integer(metadata=about(example=4))
    name = fields.String(metadata=about(example="Max Torque"))
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
    distance_km = fields.Float(
        metadata={"optional": True, **about("From the place in the query, if there is one in it.", 2.92)}
    )


class Mechanics(Answer):
    total = fields.Integer(metadata=about("How many match, also where `limit` leaves some out.", 1))
    mechanics = fields.List(fields.Nested(MechanicFound))


class RecentService(Answer):
    """Nothing that tells who the customer was."""

    id = fields.Integer(metadata=about(example=14))
    service_date = Time()
    cost = fields.Float(allow_none=True, metadata=about(example=75.5))
    rating = fields.Integer(allow_none=True, metadata=about(example=5))
    review = fields.String(allow_none=True, metadata=about(example="Quick and friendly."))
    service_type = fields.String(metadata=about(example="Flat Tire"))
    vehicle_type = fields.String(metadata=about(example="Car"))


class OneMechanic(Answer):
    mechanic = fields.Nested(Mechanic)
    recent_services = fields.List(
        fields.Nested(RecentService), data_key="recentServices", metadata=about("The ten newest.")
    )


class MechanicName(Answer):
    id = fields.Integer(metadata=about(example=4))
    name = fields.String(metadata=about(example="Max Torque"))


class Availability(Answer):
    mechanic = fields.Nested(MechanicName)
    available = fields.Boolean(metadata=about("Whether there is a free slot.", True))
    capacity = fields.Integer(metadata=about("How many slots the mechanic has.", 5))
    current_bookings = fields.Integer(
        data_key="currentBookings", metadata=about("Those that are confirmed or in progress.", 1)
    )
    available_slots = fields.Integer(data_key="availableSlots", metadata=about(example=4))


class MechanicAdded(Posted):
    mechanic = fields.Nested(Mechanic)


class MechanicSaved(Told):
    mechanic = fields.Nested(Mechanic)
