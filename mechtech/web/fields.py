"""The kinds of input that the contract's section Requests knows. Nothing is coerced; errors are one text a field."""

import math
import re

from marshmallow import EXCLUDE, Schema, ValidationError, fields, missing, validates_schema

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
SURROGATE = re.compile(r"[\ud800-\udfff]")
# What a browser's <input type=email> lets through, with a dot in the domain. In ASCII, so that the database's NOCASE
# compares all of it.
LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
EMAIL = re.compile(rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{LABEL}(?:\.{LABEL})+")
DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
DIGITS = re.compile(r"[0-9]{1,9}")
KEY = re.compile(r"[ -~]{1,255}")
PHONE = re.compile(r"[0-9+() -]{4,30}")
RETRY_KEY = "Idempotency-Key"
NEEDED = "This is needed."


class Input(Schema):
    """What a request may carry."""

    class Meta:
        unknown = EXCLUDE

    read_by_hooks: frozenset[str] = frozenset()  # names that are no fields, but that a hook of the schema reads

    def unknown_names(self, data: dict) -> list[str]:
        """The names of what nobody would read, as they were sent."""
        known = {field.data_key or name for name, field in self.fields.items()} | self.read_by_hooks
        return [name for name in data if name not in known]

    def read(self, data: dict) -> tuple[dict | None, dict[str, str] | None]:
        """The fields, or what is wrong with each, by the name it was sent under."""
        try:
            return self.load(data), None
        except ValidationError as error:
            return None, {name: texts[0] for name, texts in error.messages.items()}


class Part(Input):
    """What changes a row: fields that are absent stay out."""

    def __init__(self):
        super().__init__(partial=True)


class Field(fields.Field):
    """Needed, unless it has a load_default. Each kind of field has its check(value).

    optional: absent, null and empty all load as `empty`. With a load_default alone, null and empty are wrong.
    """

    def __init__(self, *, optional=False, empty=None, **kwargs):
        if optional:
            kwargs = {"load_default": empty, **kwargs}
        super().__init__(**kwargs)
        self.optional, self.empty = optional, empty

    def deserialize(self, value, attr=None, data=None, **kwargs):
        if self.optional and (value is missing or value is None or value == ""):
            return self.empty
        if value is None or (value is missing and self.load_default is missing):
            raise ValidationError(NEEDED)
        return self.load_default if value is missing else self.check(value)


class Text(Field):
    """A string without control characters, trimmed. low, high: its length in characters."""

    def __init__(self, low=1, high=math.inf, **kwargs):
        super().__init__(**kwargs)
        self.low, self.high = low, high

    def check(self, value):
        if not isinstance(value, str):
            raise ValidationError("This must be text.")
        if not value.isprintable() and UNPRINTABLE.search(value):  # a line feed, say, may come
            raise ValidationError("This has characters that cannot be printed.")
        value = value.strip()
        if self.low <= len(value) <= self.high:
            return value
        if not value and self.optional:
            return self.empty
        if not value:
            raise ValidationError(NEEDED)
        if len(value) < self.low:
            raise ValidationError(f"This must have at least {self.low} characters.")
        raise ValidationError(f"This must have at most {self.high} characters.")


class Email(Text):
    def __init__(self, **kwargs):
        super().__init__(high=254, **kwargs)

    def check(self, value):
        value = super().check(value)
        if not EMAIL.fullmatch(value):
            raise ValidationError("This is not an e-mail address.")
        return value


class Phone(Text):
    def check(self, value):
        value = super().check(value)
        if value is not None and not PHONE.fullmatch(value):
            raise ValidationError("This must be 4 to 30 digits, +, -, spaces or parentheses.")
        return value


class Password(Field):
    """One that somebody has; never trimmed. One that cannot be right is for the login to refuse."""

    def check(self, value):
        if not isinstance(value, str) or SURROGATE.search(value):
            raise ValidationError("This must be text.")
        if not value:
            raise ValidationError(NEEDED)
        return value


class NewPassword(Password):
    def check(self, value):
        value = super().check(value)
        if UNPRINTABLE.search(value):
            raise ValidationError("This has characters that cannot be printed.")
        if len(value) < 8:
            raise ValidationError("This must have at least 8 characters.")
        if len(value.encode()) > 72:
            raise ValidationError("This must have at most 72 bytes.")
        return value


class Choice(Field):
    def __init__(self, choices, **kwargs):
        super().__init__(**kwargs)
        self.choices = choices

    def check(self, value):
        if not isinstance(value, str) or value.strip() not in self.choices:
            raise ValidationError(f"This must be one of {', '.join(self.choices)}.")
        return value.strip()


class Number(Field):
    def __init__(self, low, high, **kwargs):
        super().__init__(**kwargs)
        self.low, self.high = low, high
        self.bounds = f"This must be from {low} to {high}."

    def check(self, value):
        if type(value) not in (int, float):
            raise ValidationError("This must be a number.")
        if not self.low <= value <= self.high:
            raise ValidationError(self.bounds)
        return value


class Whole(Number):
    def check(self, value):
        value = super().check(value)
        if value != int(value):
            raise ValidationError("This must be a whole number.")
        return int(value)


class Flag(Field):
    """true, false, 1 or 0; loads as 1 or 0."""

    def check(self, value):
        if type(value) not in (bool, int, float) or value not in (0, 1):
            raise ValidationError("This must be true or false.")
        return int(value)


class Decimal(Number):
    """A number as a query string has it."""

    def check(self, value):
        if not DECIMAL.fullmatch(value):
            raise ValidationError("This must be a number.")
        return super().check(float(value))


class Digits(Whole):
    """A whole number as a query string has it."""

    def check(self, value):
        if not DIGITS.fullmatch(value):
            raise ValidationError("This must be a whole number.")
        return super().check(int(value))


class IdempotencyKey(Field):
    """None where the header is not sent; one that is empty is wrong."""

    def __init__(self):
        super().__init__(load_default=None, data_key=RETRY_KEY)

    def check(self, value):
        if not KEY.fullmatch(value):
            raise ValidationError("This must be 1 to 255 printable ASCII characters.")
        return value


class Place(Input):
    """Latitude and longitude, both or neither: of a pair, the missing one is named."""

    latitude = Number(-90, 90, optional=True)
    longitude = Number(-180, 180, optional=True)

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_pair(self, data, original, **kwargs):
        absent = [name for name in ("latitude", "longitude") if original.get(name) in (None, "")]
        if len(absent) == 2 and self.partial:  # to clear one of them is to clear both
            absent = [name for name in absent if name not in original]
        if len(absent) == 1:
            raise ValidationError({absent[0]: ["Latitude and longitude are needed together."]})
