from marshmallow import ValidationError, validates_schema

from mechtech.web.fields import Email, Input, NewPassword, Part, Password, Phone, Text


class Confirmed(Input):
    """confirmPassword is equal to the new password, if it is sent."""

    read_by_hooks = frozenset({"confirmPassword"})

    new_password = NewPassword(data_key="password")

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_confirmation(self, data, original, **kwargs):
        password = original.get(self.fields["new_password"].data_key)
        if password and original.get("confirmPassword", password) != password:
            raise ValidationError({"confirmPassword": ["The two passwords are not equal."]})


class Signup(Confirmed):
    name = Text(2, 100)
    email = Email()
    phone = Phone(optional=True)


class Login(Input):
    email = Email()
    password = Password()


class Profile(Confirmed, Part):
    """Any part of it; a phone that is null or empty is cleared, a name that is null or empty stays."""

    name = Text(2, 100, optional=True)
    phone = Phone(optional=True)
    current_password = Password(data_key="currentPassword", optional=True)
    new_password = NewPassword(data_key="newPassword", optional=True)

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_current(self, data, original, **kwargs):
        if original.get("newPassword") and not original.get("currentPassword"):
            raise ValidationError({"currentPassword": ["This is needed for a new password."]})
