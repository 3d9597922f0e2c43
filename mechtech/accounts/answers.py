"""What requests about accounts are answered with."""

from marshmallow import fields, validate

from mechtech.web.answers import Answer, Posted, Time, Told
from mechtech.web.fields import about

TOKEN = about("The user's token, for `Authorization: Bearer …`.", "eyJhbGci…")


class User(Answer):
    id = fields.Integer(metadata=about(example=7))
    name = fields.String(metadata=about(example="Rita Vance"))
    email = fields.String(metadata=about(example="rita@mail.example"))
    phone = fields.String(allow_none=True, metadata=about(example="+1 212-555-0108"))
    role = fields.String(validate=validate.OneOf(("customer", "admin")))
    created_at = Time()
    updated_at = Time()


class SignedIn(Posted):
    token = fields.String(metadata=TOKEN)
    user = fields.Nested(User)


class Account(Answer):
    user = fields.Nested(User)


class AccountSaved(Told):
    """With a new password, every token from before has ended, and `token` is a new one."""

    user = fields.Nested(User)
    token = fields.String(metadata={"optional": True, **TOKEN})
