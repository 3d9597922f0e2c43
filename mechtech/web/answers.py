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


class Time(fields.String):
    """A time in UTC, to the second."""

    def __init__(self, description: str | None = None, **kwargs):
        pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
        metadata = {"format": "date-time", "pattern": pattern, **about(description, "2026-01-19T10:30:00Z")}
        super().__init__(metadata=metadata, **kwargs)


SENTENCE = fields.String(metadata=about("For a person.", "It is done."))
IGNORED = fields.List(fields.String(), metadata=about("Fields of the body that are not known here.", optional=True))
TOTAL = fields.Integer(metadata=about("How many match; it stops counting at 10,000.", 1))
NEXT_CURSOR = fields.String(allow_none=True, metadata=about("For the query `cursor`; null on the last page."))


def note(**facts):
    """A decorator that sets these attributes of a view, for the description."""

    def decorate(view):
        vars(view).update(facts)
        return view

    return decorate


def gives(status: int = 200, /, *refusals: type[Refusal], **answer):
    """A decorator that describes a view: its success, and what it raises, without NotFound of an id in the path.

    answer: the fields of the success by name: a field of marshmallow's, the schema of an object, or a list with one.
    """

    def field(told) -> fields.Field:
        if isinstance(told, list):
            return fields.List(field(told[0]))
        return fields.Nested(told) if isinstance(told, type) else told

    def decorate(view):
        described = {name: field(told) for name, told in answer.items()}
        view.answers = {status: described, **getattr(view, "answers", {})}
        return may_raise(view, *refusals)

    return decorate


def gives_text(content_type: str, tagged: bool = True):
    """A decorator for a view that answers with a text of this type. tagged: whether it has an ETag, as files have."""
    return note(content_type=content_type, tagged=tagged)


def may_raise(view, *refusals: type[Refusal]):
    """Add to what is described as the view's refusals."""
    view.refusals = (*getattr(view, "refusals", ()), *refusals)
    return view
