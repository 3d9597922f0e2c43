"""What requests about the contact form's messages carry, and what they are answered with."""

from marshmallow import fields, validate

from mechtech.web.answers import Answer, Time
from mechtech.web.fields import Choice, Email, Length, Text, about
from mechtech.web.paging import Page
from mechtech.web.schemas import Body

STATUSES = ("unread", "read")


class ContactBody(Body):
    """The site's own form sends `name`: it is taken where `fullName` is absent."""

    aliases = {"name": "fullName"}

    full_name = Text(data_key="fullName", required=True, validate=Length(1, 100), example="Rita Vance")
    email = Email(required=True)
    message = Text(multiline=True, required=True, validate=Length(10, 5000), example="Can I pay by card?")

    def unknown_names(self, data):
        return [name for name in super().unknown_names(data) if name != "name" or "fullName" in data]

    def read(self, data):
        """A field that came under its other name is named so in errors."""
        if "name" not in data or "fullName" in data:
            return super().read(data)
        fields, wrong = super().read({**data, "fullName": data["name"]})
        return fields, wrong and {"name" if name == "fullName" else name: text for name, text in wrong.items()}


class ContactQuery(Page):
    list_name = "contact"

    status = Choice(STATUSES, load_default=None)


class Message(Answer):
    id = fields.Integer(metadata=about(example=6))
    full_name = fields.String(data_key="fullName", metadata=about(example="Rita Vance"))
    email = fields.String(metadata=about(example="rita@mail.example"))
    message = fields.String(metadata=about(example="Can I pay by card?"))
    status = fields.String(validate=validate.OneOf(STATUSES))
    created_at = Time()
    updated_at = Time()


MESSAGE_ID = fields.Integer(metadata=about(example=6))
