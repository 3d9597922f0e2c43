"""What requests about the contact form's messages may carry."""

from mechtech.web.fields import Choice, Email, Length, Text
from mechtech.web.paging import Page
from mechtech.web.schemas import Body


class Contact(Body):
    full_name = Text(data_key="fullName", required=True, validate=Length(1, 100))
    email = Email(required=True)
    message = Text(multiline=True, required=True, validate=Length(10, 5000))

    def unknown_names(self, data):
        return [name for name in super().unknown_names(data) if name != "name" or "fullName" in data]

    def read(self, data):
        """The site's own form sends `name`: it is taken where fullName is absent, and named in errors."""
        if "fullName" in data or "name" not in data:
            return super().read(data)
        fields, wrong = super().read({**data, "fullName": data["name"]})
        return fields, wrong and {"name" if name == "fullName" else name: text for name, text in wrong.items()}


class ContactQuery(Page):
    list_name = "contact"

    status = Choice(("unread", "read"), load_default=None)
