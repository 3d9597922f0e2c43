"""The kinds of field that the contract's section Requests knows: marshmallow's, but that nothing is coerced.

Each reads a value in `_deserialize` and has its texts in `default_error_messages`. All the rest is as marshmallow
documents it: required, allow_none, load_default, validate, error_messages.
"""

import re

from marshmallow import fields, validate

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
SURROGATE = re.compile(r"[\ud800-\udfff]")
# What a browser's <input type=email> lets through, with a dot in the domain. In ASCII, so that the database's NOCASE
# compares all of it.
LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
EMAIL = re.compile(rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{LABEL}(?:\.{LABEL})+")
DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
DIGITS = re.compile(r"-?[0-9]{1,4000}")  # Python reads no more than 4,300
PHONE = re.compile(r"[0-9+() -]{4,30}")


class Length(validate.Length):
    message_min = "This must have at least {min} characters."
    message_max = "This must have at most {max} characters."
    message_all = "This must have {min} to {max} characters."


class Range(validate.Range):
    message_min = "This must be {min_op} {{min}}."
    message_max = "This must be {max_op} {{max}}."
    message_all = "This must be from {{min}} to {{max}}."
    message_gte, message_gt = "at least", "above"
    message_lte, message_lt = "at most", "below"


class OneOf(validate.OneOf):
    default_message = "This must be one of {choices}."


class Named:
    """What every kind of field says where there is no value."""

    default_error_messages = {"required": "This field is required.", "null": "This field is required."}


class Text(Named, fields.String):
    """Text without control characters, trimmed. A required one is not empty."""

    default_error_messages = {
        "invalid": "This must be text.",
        "unprintable": "This has characters that cannot be printed.",
    }

    def _deserialize(self, value, attr, data, **kwargs) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        if not value.isprintable() and UNPRINTABLE.search(value):  # a line feed, say, may come
            raise self.make_error("unprintable")
        value = value.strip()
        if not value and self.required:
            raise self.make_error("required")
        return value


class Email(Text):
    default_error_messages = {"not_email": "This is not an e-mail address."}

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.validators.insert(0, Length(max=254))

    def _deserialize(self, value, attr, data, **kwargs) -> str:
        value = super()._deserialize(value, attr, data, **kwargs)
        if not EMAIL.fullmatch(value):
            raise self.make_error("not_email")
        return value


class Phone(Text):
    default_error_messages = {"not_phone": "This must be 4 to 30 digits, +, -, spaces or parentheses."}

    def _deserialize(self, value, attr, data, **kwargs) -> str:
        value = super()._deserialize(value, attr, data, **kwargs)
        if not PHONE.fullmatch(value):
            raise self.make_error("not_phone")
        return value


class Password(Named, fields.String):
    """One that an account may have; never trimmed. One that cannot be right is for the login to refuse."""

    default_error_messages = {"invalid": "This must be text."}

    def _deserialize(self, value, attr, data, **kwargs) -> str:
        if not isinstance(value, str) or SURROGATE.search(value):
            raise self.make_error("invalid")
        if not value:
            raise self.make_error("required")
        return value


class NewPassword(Password):
    """8 characters to 72 bytes, which is all that bcrypt looks at."""

    default_error_messages = {
        "unprintable": "This has characters that cannot be printed.",
        "too_long": "This must have at most 72 bytes.",
    }

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.validators.insert(0, Length(min=8))

    def _deserialize(self, value, attr, data, **kwargs) -> str:
        value = super()._deserialize(value, attr, data, **kwargs)
        if UNPRINTABLE.search(value):
            raise self.make_error("unprintable")
        if len(value.encode()) > 72:
            raise self.make_error("too_long")
        return value


class Choice(Text):
    """One of some texts."""

    def __init__(self, choices, **kwargs):
        super().__init__(**kwargs)
        self.validators.insert(0, OneOf(choices))


class Number(Named, fields.Float):
    default_error_messages = {
        "invalid": "This must be a number.",
        "too_large": "This number is too large or too small.",
        "special": "This number is too large or too small.",
    }

    def _deserialize(self, value, attr, data, **kwargs) -> float:
        if type(value) not in (int, float):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **kwargs)


class Whole(Named, fields.Integer):
    """A whole number; 5.0 is one."""

    default_error_messages = {"invalid": "This must be a whole number."}

    def _deserialize(self, value, attr, data, **kwargs) -> int:
        if type(value) is not int and not (type(value) is float and value.is_integer()):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **kwargs)


class Flag(Named, fields.Boolean):
    """true, false, 1 or 0; loads as 1 or 0."""

    default_error_messages = {"invalid": "This must be true or false."}

    def _deserialize(self, value, attr, data, **kwargs) -> int:
        if type(value) not in (bool, int, float) or value not in (0, 1):
            raise self.make_error("invalid")
        return int(value)


class Decimal(Number):
    """A number as a query string has it."""

    def _deserialize(self, value, attr, data, **kwargs) -> float:
        if not isinstance(value, str) or not DECIMAL.fullmatch(value.strip()):
            raise self.make_error("invalid")
        return super()._deserialize(float(value), attr, data, **kwargs)


class Digits(Whole):
    """A whole number as a query string has it."""

    def _deserialize(self, value, attr, data, **kwargs) -> int:
        if not isinstance(value, str) or not DIGITS.fullmatch(value.strip()):
            raise self.make_error("invalid")
        return super()._deserialize(int(value), attr, data, **kwargs)
