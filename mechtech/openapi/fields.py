"""What apispec does not know of the fields of mechtech/web/fields.py: it is told in its converter's own way."""

import re

from marshmallow import fields, validate

from mechtech.web.fields import Range
from mechtech.web.schemas import Body, Input

BOUNDS = ("minimum", "maximum", "minLength", "maxLength", "pattern")


def add_to(converter) -> None:
    """converter: the one of apispec's plugin for marshmallow. It calls these for each field, in this order."""
    for describe in (exclusive_bounds, anchored_pattern, emptiness):
        converter.add_attribute_function(describe)


def exclusive_bounds(self, field: fields.Field, ret: dict) -> dict:
    """A range that leaves its ends out."""
    exclusive = {}
    for bound in (validator for validator in field.validators if isinstance(validator, Range)):
        if bound.min is not None and not bound.min_inclusive:
            exclusive["exclusiveMinimum"] = ret.pop("minimum")
        if bound.max is not None and not bound.max_inclusive:
            exclusive["exclusiveMaximum"] = ret.pop("maximum")
    return exclusive


def anchored_pattern(self, field: fields.Field, ret: dict) -> dict:
    """Python's end of a text has another name elsewhere."""
    if any(isinstance(validator, validate.Regexp) for validator in field.validators):
        return {"pattern": ret["pattern"].replace(r"\Z", "$")}
    return {}


def emptiness(self, field: fields.Field, ret: dict) -> dict:
    """A text that is required is not empty. Another field of a body may be null or empty; of a query, it is absent."""
    if not isinstance(field.parent, Input):
        return {}
    kind = ret.pop("type")
    kinds = [one for one in ([kind] if isinstance(kind, str) else kind) if one != "null"]
    if "enum" in ret:
        ret["enum"] = [choice for choice in ret["enum"] if choice is not None]
        ret.pop("pattern", None)
    if not field.required and isinstance(field.parent, Body):
        return _or_empty(kinds, ret)
    if ret.get("default", "") is None:
        del ret["default"]
    least = {"minLength": max(1, ret.get("minLength", 1))} if field.required and kinds == ["string"] else {}
    return {"type": kinds if len(kinds) > 1 else kinds[0], **least}


def _or_empty(kinds: list[str], ret: dict) -> dict:
    ret.pop("default", None)  # what is absent changes nothing, or a sentence tells what it means
    if "enum" in ret:
        ret["enum"] += ["", None]
        return {"type": [*dict.fromkeys((*kinds, "string")), "null"]}
    if kinds == ["string"] and ret.get("minLength", 0) < 2:
        ret.pop("minLength", None)
        if not re.search(ret.get("pattern", ""), ""):
            ret["pattern"] = f"^$|{ret['pattern']}"
        return {"type": ["string", "null"]}
    bounds = {name: ret.pop(name) for name in BOUNDS if name in ret}
    return {"anyOf": [{"type": [*kinds, "null"], **bounds}, {"const": ""}]}
