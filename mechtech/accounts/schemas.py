"""What requests about accounts may carry."""

from marshmallow import ValidationError, post_load, validates_schema

from mechtech.accounts.fields import NewPassword, Password
from mechtech.web.fields import Email, Length, Phone, Text, about
from mechtech.web.schemas import Body, Part

PASSWORD = about(example="correct horse")


class Confirmed(Body):
    """A new password. confirmPassword is equal to it, if it is sent."""

    new_password = NewPassword(data_key="password", required=True, metadata=PASSWORD)
    confirmation = Password(data_key="confirmPassword", load_default=None, metadata=about("Equal to the new password."))

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_confirmation(self, data, original, **kwargs):
        password = original.get(self.fields["new_password"].data_key)
        if password and original.get("confirmPassword", password) != password:
            raise ValidationError({"confirmPassword": ["The two passwords are not equal."]})

    @post_load
    def drop_confirmation(self, data, **kwargs):
        data.pop("confirmation", None)
        return data


class Signup(Confirmed):
    name = Text(required=True, validate=Length(1, 100), metadata=about(example="Rita Vance"))
    email = Email(required=True)
    phone = Phone(load_default=None)


class Forgot(Body):
    """The address may be any text: it only has to be the account's."""

    email = Text(required=True, metadata=about(example="rita@mail.example"))


class Login(Forgot):
    password = Password(required=True, metadata=PASSWORD)


class Reset(Confirmed):
    token = Text(required=True, metadata=about("From the mailed link. It works once, within an hour.", "eyJhbGci…"))
    new_password = NewPassword(data_key="newPassword", required=True, metadata=PASSWORD)


class Profile(Confirmed, Part):
    """Any part of it; a phone that is null or empty is cleared, a name that is null or empty stays."""

    name = Text(validate=Length(1, 100), metadata=about(example="Rita Vance"))
    phone = Phone(load_default=None)
    current_password = Password(
        data_key="currentPassword", load_default=None, metadata=about("Required with `newPassword`.")
    )
    new_password = NewPassword(data_key="newPassword", load_default=None)

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_current(self, data, original, **kwargs):
        if original.get("newPassword") and not original.get("currentPassword"):
            raise ValidationError({"currentPassword": ["This is required for a new password."]})
