"""What requests about the contact form's messages may carry."""

from mechtech.web.fields import Choice, Email, Length, Text, about
from mechtech.web.paging import Page
from mechtech.web.schemas import Body


class Contact(Body):
    """The site's own form sends `name`: it is taken where `fullName` is absent."""

    aliases = {"name": "fullName"}

    full_name = Text(data_key="fullName", required=True, validate=Length(1, 100), metadata=about(example="Rita Vance"))
    email = Email(required=True)
    message = Text(
        multiline=True, required=True, validate=Length(10, 5000), metadata=about(example="Can I pay by card?")
    )

    def unknown_names(self, data):
        return [name for name in super().unknown_names(data) if name not in self.aliases or self.aliases[name] in data]

    def read(self, data):
        """A field that came under its other name is named so in errors."""
        taken = {field: name for name, field in self.aliases.items() if name in data and field not in data}
        fields, wrong = super().read({**data, **{field: data[name] for field, name in taken.items()}})
        return fields, wrong and {taken.get(name, name): text for name, text in wrong.items()}


class ContactQuery(Page):
    list_name = "contact"

    status = Choice(("unread", "read"), load_default=None)
