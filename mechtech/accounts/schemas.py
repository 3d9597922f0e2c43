"""What requests about accounts may carry."""

from marshmallow import ValidationError, post_load, validates_schema

from mechtech.web.fields import Email, Length, NewPassword, Password, Phone, Text
from mechtech.web.schemas import Body, Part


class Confirmed(Body):
    """A new password. confirmPassword is equal to it, if it is sent."""

    new_password = NewPassword(data_key="password", required=True)
    confirmation = Password(data_key="confirmPassword", load_default=None)

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
    name = Text(required=True, validate=Length(1, 100))
    email = Email(required=True)
    phone = Phone(load_default=None)


class Forgot(Body):
    """The address may be any text: it only has to be the account's."""

    email = Text(required=True)


class Login(Forgot):
    password = Password(required=True)


class Reset(Confirmed):
    token = Text(required=True)
    new_password = NewPassword(data_key="newPassword", required=True)


class Profile(Confirmed, Part):
    """Any part of it; a phone that is null or empty is cleared, a name that is null or empty stays."""

    name = Text(validate=Length(1, 100))
    phone = Phone(load_default=None)
    current_password = Password(data_key="currentPassword", load_default=None)
    new_password = NewPassword(data_key="newPassword", load_default=None)

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_current(self, data, original, **kwargs):
        if original.get("newPassword") and not original.get("currentPassword"):
            raise ValidationError({"currentPassword": ["This is required for a new password."]})
