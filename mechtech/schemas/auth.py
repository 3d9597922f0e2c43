from mechtech.schemas.fields import Email, Input, NewPassword, Part, Password, Phone, Text


class Confirmed(Input):
    """confirmPassword is equal to the new password, if it is sent."""

    new_password = NewPassword(data_key="password")

    def check(self, good, data):
        wrong = super().check(good, data)
        password = data.get(self.fields["new_password"].data_key)
        if password and data.get("confirmPassword", password) != password:
            wrong["confirmPassword"] = "The two passwords are not equal."
        return wrong


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

    def check(self, good, data):
        wrong = super().check(good, data)
        if data.get("newPassword") and not data.get("currentPassword"):
            wrong["currentPassword"] = "This is needed for a new password."
        return wrong
