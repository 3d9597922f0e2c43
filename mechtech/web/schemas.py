"""What the schemas of all resources share: how they are read, and what an empty field and half a place mean."""

from marshmallow import EXCLUDE, INCLUDE, Schema, ValidationError, pre_load, validates_schema

from mechtech.web.fields import Number, Range, Text

PAIR = "In degrees; latitude and longitude go together."


class Input(Schema):
    """What a request may carry."""

    class Meta:
        unknown = EXCLUDE

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.sent_names = {field.data_key or name: field for name, field in self.load_fields.items()}

    def unknown_names(self, data: dict) -> list[str]:
        """The names that the schema does not read, as they were sent; none if its Meta includes unknown ones."""
        return [name for name in data if name not in self.sent_names and self.unknown != INCLUDE]

    def read(self, data: dict) -> tuple[dict | None, dict[str, str]]:
        """The fields, and what is wrong with each, by the name it was sent under."""
        try:
            return self.load(data), {}
        except ValidationError as error:
            return None, {name: _first(texts) for name, texts in error.messages.items()}


def _first(texts: list | dict) -> str:
    """The first text. What is within a list or an object has its texts by index and name."""
    while not isinstance(texts, str):
        texts = next(iter(texts.values() if isinstance(texts, dict) else texts))
    return texts


class Body(Input):
    """A body. Null and empty are None for a field that allows None; other fields that are not required stay absent.

    aliases: other names of fields, for the description; the schema's read() takes them. min_properties: how many fields
    must be sent, which Part checks.
    """

    aliases: dict[str, str] = {}
    min_properties = 0

    @pre_load
    def read_empty(self, data: dict, **kwargs) -> dict:
        read = dict(data)
        for name, value in data.items():
            field = self.sent_names.get(name)
            is_blank = isinstance(value, str) and value.isspace() and isinstance(field, Text)
            if field and not field.required and (is_blank or value in (None, "")):
                if field.allow_none:
                    read[name] = None
                else:
                    del read[name]
        return read


class Part(Body):
    """What changes a row: fields that are absent stay out. Null and empty count as sent for those that they clear."""

    def __init__(self, **kwargs):
        super().__init__(**{"partial": True, **kwargs})

    @validates_schema
    def check_any(self, data, **kwargs):
        if len(data) < self.min_properties:
            raise ValidationError({name: ["At least one field is required."] for name in self.sent_names})


class Pair:
    """Of latitude and longitude both or neither: the missing one is named."""

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_pair(self, data, original, **kwargs):
        absent = [name for name in ("latitude", "longitude") if original.get(name) in (None, "")]
        if len(absent) == 2 and self.partial:  # to clear one of them is to clear both
            absent = [name for name in absent if name not in original]
        if len(absent) == 1:
            raise ValidationError({absent[0]: ["Latitude and longitude are needed together."]})


class Place(Pair, Body):
    latitude = Number(load_default=None, validate=Range(-90, 90), description=PAIR, example=40.7187)
    longitude = Number(load_default=None, validate=Range(-180, 180), description=PAIR, example=-74.0007)
