"""What requests about the contact form's messages are answered with."""

from marshmallow import fields, validate

from mechtech.web.answers import Answer, Cursor, Posted, Time, Told, Total
from mechtech.web.fields import about


class Message(Answer):
    id = fields.Integer(metadata=about(example=6))
    full_name = fields.String(data_key="fullName", metadata=about(example="Rita Vance"))
    email = fields.String(metadata=about(example="rita@mail.example"))
    message = fields.String(metadata=about(example="Can I pay by card?"))
    status = fields.String(validate=validate.OneOf(("unread", "read")))
    created_at = Time()
    updated_at = Time()


class MessageSent(Posted):
    id = fields.Integer(metadata=about(example=6))


class Messages(Answer):
    total = Total()
    messages = fields.List(fields.Nested(Message))
    next_cursor = Cursor()


class OneMessage(Answer):
    message = fields.Nested(Message)


class MessageChanged(Told):
    message_id = fields.Integer(data_key="messageId", metadata=about(example=6))
