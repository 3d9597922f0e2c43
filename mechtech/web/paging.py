"""The query of a list that comes page by page, and its cursor: a signed position, good for the same query only."""

import json
from dataclasses import dataclass
from hashlib import blake2b

from marshmallow import ValidationError, post_load

from mechtech.database.page import Position
from mechtech.web import tokens
from mechtech.web.fields import Digits, Range, Text
from mechtech.web.schemas import Input

NOT_OURS = "This is not a cursor of this list and query."


@dataclass(frozen=True)
class PageQuery:
    """What a list is asked for. filters: the other names of its query, None where they ask for nothing."""

    list_name: str
    filters: dict
    after: Position | None
    limit: int

    def cursor(self, following: Position | None) -> str | None:
        """The text by which a client asks for the page after this position; None at the end."""
        return following and tokens.sign({"after": following, "of": _digest(self.list_name, self.filters)})


class Cursor(Text):
    """Loads as a position; whether it is good depends on the rest of the query."""

    def _deserialize(self, value, attr, data, **kwargs) -> dict:
        try:
            return tokens.read_signed(super()._deserialize(value, attr, data, **kwargs), {"after", "of"})
        except ValueError:
            raise ValidationError(NOT_OURS) from None


class Page(Input):
    """Loads as a PageQuery. list_name tells one list's cursors from another's."""

    list_name: str

    limit = Digits(load_default=50, validate=Range(1, 200), description="How many on a page.")
    cursor = Cursor(load_default=None, description="The `nextCursor` of the page before, good for the same query only.")

    @post_load
    def make_query(self, data: dict, **kwargs) -> PageQuery:
        limit, cursor = data.pop("limit"), data.pop("cursor")
        if cursor is not None and cursor["of"] != _digest(self.list_name, data):
            raise ValidationError({"cursor": [NOT_OURS]})
        return PageQuery(self.list_name, data, cursor and Position(*cursor["after"]), limit)


def _digest(list_name: str, filters: dict) -> str:
    asked = {name: value for name, value in filters.items() if value is not None}
    return blake2b(json.dumps([list_name, asked], sort_keys=True).encode(), digest_size=8).hexdigest()
