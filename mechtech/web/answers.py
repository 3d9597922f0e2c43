"""What goes out: schemas for the description of the API, which the tests hold every answer to.

A view makes a plain dict; nothing is validated or dumped while the service runs.
"""

from marshmallow import RAISE, Schema, fields

from mechtech.errors import Refusal
from mechtech.web.fields import about


class Answer(Schema):
    """Each field is in the answer, but for those whose metadata say `optional`; and there is no other."""

    class Meta:
        unknown = RAISE

    def on_bind_field(self, field_name, field_obj):
        field_obj.required = not field_obj.metadata.get("optional", False)


class Told(Answer):
    """What every change is answered with."""

    message = fields.String(metadata=about("A sentence for a person.", "It is done."))


class Posted(Told):
    """The answer to a POST with a body."""

    ignored = fields.List(
        fields.String(),
        metadata={"optional": True, "description": "The fields of the body that the endpoint does not know, if any."},
    )


class Time(fields.String):
    """A time in UTC, to the second."""

    def __init__(self, description: str | None = None, **kwargs):
        pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
        metadata = {"format": "date-time", "pattern": pattern, **about(description, "2026-01-19T10:30:00Z")}
        super().__init__(metadata=metadata, **kwargs)


class Cursor(fields.String):
    """Where the next page of a list begins."""

    def __init__(self):
        metadata = about("For the query `cursor`; null on the last page.")
        super().__init__(data_key="nextCursor", allow_none=True, metadata=metadata)


class Total(fields.Integer):
    """How many rows match a query."""

    def __init__(self):
        super().__init__(metadata=about("How many match; it stops counting at 10,000.", 1))


def gives(schema: type[Answer], status: int = 200, refusals: tuple[type[Refusal], ...] = (), others=None):
    """What stands at a view for the description: the schema and status of its success, and what it may raise itself.

    others: further statuses with their schemas.
    """

    def decorate(view):
        view.answers = {status: schema, **(others or {})}
        return may_raise(view, *refusals)

    return decorate


def gives_file(content_type: str):
    """For a view that sends a file of this type, with an ETag."""

    def decorate(view):
        view.content_type = content_type
        return view

    return decorate


def gives_text(content_type: str):
    """For a view that answers with a text of this type, which is made anew each time."""

    def decorate(view):
        view.text_type = content_type
        return view

    return decorate


def may_raise(view, *refusals: type[Refusal]):
    """Add to what is described as the view's refusals."""
    view.refusals = (*getattr(view, "refusals", ()), *refusals)
    return view
