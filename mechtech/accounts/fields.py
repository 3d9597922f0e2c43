"""The fields for passwords."""

import re

from marshmallow import fields

from mechtech import texts
from mechtech.passwords import LIMIT
from mechtech.web.fields import Length, Named

SURROGATE = re.compile(r"[\ud800-\udfff]")


class Password(Named, fields.String):
    """One that an account may have; never trimmed. One that cannot be right is for the login to refuse."""

    default_error_messages = {"invalid": "This must be text."}
    described = {"format": "password"}

    def _deserialize(self, value, attr, data, **kwargs) -> str:
        if not isinstance(value, str) or SURROGATE.search(value):
            raise self.make_error("invalid")
        if not value:
            raise self.make_error("required")
        return value


class NewPassword(Password):
    """8 characters to 72 bytes, which is all that bcrypt looks at, in the form that is hashed."""

    default_error_messages = {
        "unprintable": "This has characters that cannot be printed.",
        "too_long": "This must have at most 72 bytes.",
    }
    described = {
        **Password.described,
        "pattern": f"^[^{texts.CONTROLS}]*$",
        "maxLength": LIMIT,
        "description": "At most 72 bytes in UTF-8, so fewer characters where they are not ASCII. Never trimmed.",
    }

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.validators.insert(0, Length(min=8))

    def _deserialize(self, value, attr, data, **kwargs) -> str:
        value = texts.normalize_password(super()._deserialize(value, attr, data, **kwargs))
        if texts.UNPRINTABLE.search(value):
            raise self.make_error("unprintable")
        if len(value.encode()) > LIMIT:
            raise self.make_error("too_long")
        return value
