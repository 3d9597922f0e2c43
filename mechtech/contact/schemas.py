from mechtech.web.fields import Choice, Email, IdempotencyKey, Input, Text
from mechtech.web.paging import Page


class Contact(Input):
    full_name = Text(2, 100, data_key="fullName")
    email = Email()
    message = Text(10, 5000)
    idempotency_key = IdempotencyKey()

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
