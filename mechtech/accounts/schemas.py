"""What requests about accounts carry, and what they are answered with."""

import re

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from mechtech import texts
from mechtech.passwords import LIMIT
from mechtech.web.answers import Answer, Time
from mechtech.web.fields import Email, Kind, Length, Phone, Text, about
from mechtech.web.schemas import Body, Part

PRINTABLE = validate.Regexp(rf"^[^{texts.CONTROLS}]*$", error="This has characters that cannot be printed.")
SURROGATE = re.compile(r"[\ud800-\udfff]")


class Password(Kind, fields.String):
    """The password of an account, never trimmed. Of any length: whether it is right is for the login to say."""

    default_error_messages = {"invalid": "This must be text."}
    described = {"format": "password"}

    def _deserialize(self, value, attr, data, **kwargs) -> str:
        if not isinstance(value, str) or SURROGATE.search(value):
            raise self.make_error("invalid")
        if not value:
            raise self.make_error("required")
        return value


def _check_bytes(password: str) -> None:
    if len(password.encode()) > LIMIT:
        raise ValidationError("This must have at most 72 bytes.")


class NewPassword(Password):
    """8 characters to 72 bytes, which is all that bcrypt looks at. Loads in the form that is hashed."""

    described = {
        **Password.described,
        "maxLength": LIMIT,
        "description": "At most 72 bytes in UTF-8, so fewer characters where they are not ASCII. Never trimmed.",
    }

    always = (Length(min=8), PRINTABLE, _check_bytes)

    def _deserialize(self, value, attr, data, **kwargs) -> str:
        return texts.normalize_password(super()._deserialize(value, attr, data, **kwargs))


class ConfirmedBody(Body):
    """A new password. confirmPassword is equal to it, if it is sent."""

    password = NewPassword(data_key="password", required=True, example="correct horse")
    confirmation = Password(data_key="confirmPassword", load_default=None, description="Equal to the new password.")

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_confirmation(self, data, original, **kwargs):
        password = original.get(self.fields["password"].data_key)
        if password and original.get("confirmPassword", password) != password:
            raise ValidationError({"confirmPassword": ["The two passwords are not equal."]})

    @post_load
    def drop_confirmation(self, data, **kwargs):
        data.pop("confirmation", None)
        return data


class SignupBody(ConfirmedBody):
    name = Text(required=True, validate=Length(1, 100), example="Rita Vance")
    email = Email(required=True)
    phone = Phone(load_default=None)


class ForgotBody(Body):
    """The address may be any text: it only has to be the account's."""

    email = Text(required=True, example="rita@mail.example")


class LoginBody(ForgotBody):
    password = Password(required=True, example="correct horse")


class ResetBody(ConfirmedBody):
    token = Text(required=True, description="From the mailed link. It works once, within an hour.", example="eyJhbGci…")
    password = NewPassword(data_key="newPassword", required=True, example="correct horse")


class ProfileBody(ConfirmedBody, Part):
    """Any part of it; a phone that is null or empty is cleared, a name that is null or empty stays."""

    name = Text(validate=Length(1, 100), example="Rita Vance")
    phone = Phone(load_default=None)
    current_password = Password(
        data_key="currentPassword", load_default=None, description="Required with `newPassword`."
    )
    password = NewPassword(data_key="newPassword", load_default=None)

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_current(self, data, original, **kwargs):
        if original.get("newPassword") and not original.get("currentPassword"):
            raise ValidationError({"currentPassword": ["This is required for a new password."]})


class User(Answer):
    id = fields.Integer(metadata=about(example=7))
    name = fields.String(metadata=about(example="Rita Vance"))
    email = fields.String(metadata=about(example="rita@mail.example"))
    phone = fields.String(allow_none=True, metadata=about(example="+1 212-555-0108"))
    role = fields.String(validate=validate.OneOf(("customer", "admin")))
    created_at = Time()
    updated_at = Time()


TOKEN = fields.String(metadata=about("The user's token, for `Authorization: Bearer …`.", "eyJhbGci…"))
NEW_TOKEN = fields.String(metadata=about("With a new password, which ends every other.", "eyJhbGci…", optional=True))
