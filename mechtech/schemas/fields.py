"""The kinds of input that the contract's section Requests knows. Nothing is coerced; errors are one text a field."""

import re

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validates_schema

from mechtech import tokens

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
NEEDED = "This is needed."


class Input(Schema):
    """What a request may carry; names that it does not know are ignored."""

    class Meta:
        unknown = EXCLUDE

    def read(self, data: dict) -> tuple[dict | None, dict[str, str] | None]:
        """The fields, or what is wrong with each, by the name it was sent under."""
        try:
            return self.load(data), None
        except ValidationError as error:
            return None, {name: texts[0] for name, texts in error.messages.items()}


class Field(fields.Field):
    """Needed, unless optional: then absent, null and empty all load as `empty`."""

    default_error_messages = {"required": NEEDED, "null": NEEDED}

    def __init__(self, *, optional=False, empty=None, **kwargs):
        if optional:
            kwargs = {"load_default": empty, **kwargs}
        super().__init__(required="load_default" not in kwargs, **kwargs)
        self.optional, self.empty = optional, empty

    def deserialize(self, value, attr=None, data=None, **kwargs):
        if self.optional and (value is None or value == ""):
            return self.empty
        return super().deserialize(value, attr, data, **kwargs)


class Text(Field):
    """A string without control characters, trimmed. low, high: its length in characters."""

    def __init__(self, low=1, high=None, **kwargs):
        super().__init__(**kwargs)
        self.low, self.high = low, high

    def deserialize(self, value, attr=None, data=None, **kwargs):
        if isinstance(value, str):
            if UNPRINTABLE.search(value):
                raise ValidationError("This has characters that cannot be printed.")
            value = value.strip()
        return super().deserialize(value, attr, data, **kwargs)

    def _deserialize(self, value, attr, data, **kwargs):
        if not isinstance(value, str):
            raise ValidationError("This must be text.")
        if not value and self.low:
            raise ValidationError(NEEDED)
        if len(value) < self.low:
            raise ValidationError(f"This must have at least {self.low} characters.")
        if self.high is not None and len(value) > self.high:
            raise ValidationError(f"This must have at most {self.high} characters.")
        return value


class Email(Text):
    def __init__(self, **kwargs):
        super().__init__(high=254, **kwargs)

    def _deserialize(self, value, attr, data, **kwargs):
        value = super()._deserialize(value, attr, data, **kwargs)
        if not EMAIL.fullmatch(value):
            raise ValidationError("This is not an e-mail address.")
        return value


class Phone(Text):
    def _deserialize(self, value, attr, data, **kwargs):
        value = super()._deserialize(value, attr, data, **kwargs)
        if not PHONE.fullmatch(value):
            raise ValidationError("This must be 4 to 30 digits, +, -, spaces or parentheses.")
        return value


class Password(Field):
    """One that somebody has; never trimmed. One that cannot be right is for the login to refuse."""

    def _deserialize(self, value, attr, data, **kwargs):
        if not isinstance(value, str) or SURROGATE.search(value):
            raise ValidationError("This must be text.")
        if not value:
            raise ValidationError(NEEDED)
        return value


class NewPassword(Password):
    def _deserialize(self, value, attr, data, **kwargs):
        value = super()._deserialize(value, attr, data, **kwargs)
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

    def _deserialize(self, value, attr, data, **kwargs):
        if not isinstance(value, str) or value not in self.choices:
            raise ValidationError(f"This must be one of {', '.join(self.choices)}.")
        return value


class Number(Field):
    def __init__(self, low, high, **kwargs):
        super().__init__(**kwargs)
        self.low, self.high = low, high

    def _deserialize(self, value, attr, data, **kwargs):
        if type(value) not in (int, float):
            raise ValidationError("This must be a number.")
        if not self.low <= value <= self.high:
            raise ValidationError(f"This must be from {self.low} to {self.high}.")
        return float(value)


class Whole(Number):
    def _deserialize(self, value, attr, data, **kwargs):
        number = super()._deserialize(value, attr, data, **kwargs)
        if not number.is_integer():
            raise ValidationError("This must be a whole number.")
        return int(value)


class Flag(Field):
    """true, false, 1 or 0; loads as 1 or 0."""

    def _deserialize(self, value, attr, data, **kwargs):
        if type(value) not in (bool, int) or value not in (0, 1):
            raise ValidationError("This must be true or false.")
        return int(value)


class Decimal(Number):
    """A number as a query string has it."""

    def _deserialize(self, value, attr, data, **kwargs):
        if not DECIMAL.fullmatch(value):
            raise ValidationError("This must be a number.")
        return super()._deserialize(float(value), attr, data, **kwargs)


class Digits(Number):
    """A whole number as a query string has it."""

    def _deserialize(self, value, attr, data, **kwargs):
        if not DIGITS.fullmatch(value):
            raise ValidationError("This must be a whole number.")
        return super()._deserialize(int(value), attr, data, **kwargs)


class IdempotencyKey(Field):
    def _deserialize(self, value, attr, data, **kwargs):
        if not KEY.fullmatch(value):
            raise ValidationError("This must be 1 to 255 printable ASCII characters.")
        return value


class Cursor(Field):
    """Loads as the id that the page begins below."""

    def _deserialize(self, value, attr, data, **kwargs):
        try:
            return tokens.read_cursor(value)
        except ValueError:
            raise ValidationError("This is not a cursor of this list.") from None


class Place(Input):
    """Latitude and longitude, both or neither: of a pair, the missing one is named."""

    latitude = Number(-90, 90, optional=True)
    longitude = Number(-180, 180, optional=True)

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_pair(self, data, original, **kwargs):
        missing = [name for name in ("latitude", "longitude") if original.get(name) in (None, "")]
        if len(missing) == 1:
            raise ValidationError({missing[0]: ["Latitude and longitude are needed together."]})


class Page(Input):
    """The query of a list that comes page by page, newest first."""

    limit = Digits(1, 200, load_default=50)
    before = Cursor(data_key="cursor", load_default=None)
