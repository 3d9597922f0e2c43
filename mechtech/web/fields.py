"""The kinds of field that the contract's section Requests knows: marshmallow's, but that nothing is coerced.

Each reads a value in `_deserialize` and has its texts in `default_error_messages`. All the rest is as marshmallow
documents it: required, allow_none, load_default, validate, error_messages. Their metadata are what JSON Schema can say
beyond their validators, for the description of the API.
"""

import re

from marshmallow import fields, validate

from mechtech import texts


def about(description: str | None = None, example=None, **more) -> dict:
    """The metadata of a field, for the description of the API."""
    told = {"description": description, "examples": None if example is None else [example], **more}
    return {name: value for name, value in told.items() if value is not None}


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


class Kind:
    """What each kind has: messages for a missing value, metadata in `described`, validators that it `always` asks."""

    default_error_messages = {"required": "This field is required.", "null": "This field is required."}
    described: dict = {}
    always: tuple[validate.Validator, ...] = ()

    def __init__(self, *, description=None, example=None, metadata=None, **kwargs):
        super().__init__(metadata={**self.described, **about(description, example), **(metadata or {})}, **kwargs)
        self.validators[:0] = self.always


class Text(Kind, fields.String):
    """Trimmed text with a character that can be seen. A required one is not empty.

    multiline: whether it may have line breaks and tabs. A subclass may clean the text, and ask for a form.
    """

    form: re.Pattern | None = None
    default_error_messages = {
        "invalid": "This must be text.",
        "unprintable": "This has characters that cannot be printed.",
        "line_break": "This must be one line, without tabs.",
        "invisible": "This has no character that can be seen.",
    }

    def __init__(self, *, multiline=False, **kwargs):
        super().__init__(**kwargs)
        self.multiline = multiline
        refused = texts.CONTROLS if multiline else texts.CONTROLS + texts.BREAKS
        self.metadata.setdefault("pattern", f"^{self.form.pattern if self.form else f'[^{refused}]*'}$")

    def _deserialize(self, value, attr, data, **kwargs) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        if texts.UNPRINTABLE.search(value):
            raise self.make_error("unprintable")
        value = value.strip()
        if not value and self.required:
            raise self.make_error("required")
        if not self.multiline and texts.LINE_BREAKS.search(value):
            raise self.make_error("line_break")
        if not value.isascii() and not texts.has_visible(value):
            raise self.make_error("invisible")
        value = self.clean(value)
        if self.form and not self.form.fullmatch(value):
            raise self.make_error("form")
        return value

    def clean(self, text: str) -> str:
        return text


class Email(Text):
    """Loads with an international domain in its xn-- form, so that both forms are one address."""

    default_error_messages = {"form": "This is not an e-mail address."}
    described = {
        "format": "email",
        "pattern": "@.+[.].",
        "description": "Its domain has a dot, and may be an international one. Case makes no difference.",
        "examples": ["rita@mail.example"],
    }
    always = (Length(max=254),)
    form = texts.EMAIL

    def clean(self, text: str) -> str:
        return texts.ascii_address(texts.strip_invisible(text))


class Phone(Text):
    """Loads in ASCII, without what cannot be seen."""

    default_error_messages = {
        "form": "This must be a phone number: 4 to 21 digits, spaces and + - . / ( ), and perhaps ext. 123.",
    }
    described = {
        "description": "4 to 21 digits. It is cleaned before it is checked: other digits, dashes and spaces are taken.",
        "examples": ["+1 212-555-0108"],
    }
    always = (Length(max=40),)
    form = texts.PHONE
    clean = staticmethod(texts.clean_phone)


class Choice(Text):
    def __init__(self, choices, **kwargs):
        self.always = (OneOf(choices),)
        super().__init__(**kwargs)


class Number(Kind, fields.Float):
    default_error_messages = {
        "invalid": "This must be a number.",
        "too_large": "This number is too large or too small.",
        "special": "This number is too large or too small.",
    }

    def _deserialize(self, value, attr, data, **kwargs) -> float:
        if type(value) not in (int, float):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **kwargs)


class Whole(Kind, fields.Integer):
    """A whole number; 5.0 is one."""

    default_error_messages = {"invalid": "This must be a whole number."}

    def _deserialize(self, value, attr, data, **kwargs) -> int:
        if type(value) is not int and not (type(value) is float and value.is_integer()):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **kwargs)


class Flag(Kind, fields.Boolean):
    """true, false, 1 or 0; loads as 1 or 0."""

    default_error_messages = {"invalid": "This must be true or false."}
    described = {"type": ["boolean", "integer"], "enum": [True, False, 1, 0]}

    def _deserialize(self, value, attr, data, **kwargs) -> int:
        if type(value) not in (bool, int, float) or value not in (0, 1):
            raise self.make_error("invalid")
        return int(value)


class InQuery:
    """A number as a query string has it."""

    def _deserialize(self, value, attr, data, **kwargs) -> float:
        if not isinstance(value, str) or not self.written.fullmatch(value.strip()):
            raise self.make_error("invalid")
        return super()._deserialize(self.num_type(value), attr, data, **kwargs)


class Decimal(InQuery, Number):
    written = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")


class Digits(InQuery, Whole):
    written = re.compile("-?[0-9]{1,4000}")  # Python reads no more than 4,300
