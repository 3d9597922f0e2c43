"""What apispec does not know of our fields and schemas, and examples of what they allow."""

import re
from inspect import cleandoc

from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields, validate

from mechtech.web.fields import Range
from mechtech.web.schemas import Body, Input, Part

BOUNDS = ("minimum", "maximum", "minLength", "maxLength", "pattern")


def name_of(schema: type[Schema] | Schema) -> str:
    """The name among the components; empty for an answer as a whole, which is described where it stands."""
    return (schema if isinstance(schema, type) else type(schema)).__name__


class Plugin(MarshmallowPlugin):
    def schema_helper(self, name, definition, schema=None, **kwargs) -> dict | None:
        """The schema with what it says as a whole, beyond its fields."""
        described = super().schema_helper(name, definition, schema=schema, **kwargs)
        kind = schema if isinstance(schema, type) else type(schema)
        if kind.__doc__:
            described["description"] = cleandoc(kind.__doc__)
        if issubclass(kind, Part):  # the body of a PUT
            described["additionalProperties"] = False
        if getattr(kind, "min_properties", 0):
            described["minProperties"] = kind.min_properties
        for alias, field in getattr(kind, "aliases", {}).items():
            also = {**described["properties"][field], "description": f"Taken where `{field}` is absent."}
            described["required"].remove(field)
            described["anyOf"] = [{"required": [field]}, {"properties": {alias: also}, "required": [alias]}]
        return described


def describe_input(self, field: fields.Field, ret: dict) -> dict:
    """A text that is required is not empty. Another field of a body may be null or empty; of a query, it is absent."""
    if any(isinstance(bound, Range) and not bound.min_inclusive for bound in field.validators):
        ret["exclusiveMinimum"] = ret.pop("minimum")
    if not isinstance(field.parent, Input) or "type" not in ret:  # which another schema has
        return {}
    told = ret.pop("type")
    kinds = [kind for kind in ([told] if isinstance(told, str) else told) if kind != "null"]
    text = kinds == ["string"]
    if "enum" in ret:
        ret["enum"] = [choice for choice in ret["enum"] if choice is not None]
        ret.pop("pattern", None)
    if field.required or not isinstance(field.parent, Body):
        if ret.get("default", "") is None:
            del ret["default"]
        least = {"minLength": max(1, ret.get("minLength", 1))} if field.required and text else {}
        return {"type": kinds if len(kinds) > 1 else kinds[0], **least}
    ret.pop("default", None)  # what is absent changes nothing, or a sentence tells what it means
    if "enum" in ret:
        ret["enum"] += ["", None]
        return {"type": [*dict.fromkeys((*kinds, "string")), "null"]}
    if text and "minLength" not in ret and re.search(ret.get("pattern", ""), ""):
        return {"type": ["string", "null"]}
    bounds = {name: ret.pop(name) for name in BOUNDS if name in ret}
    return {"anyOf": [{"type": [*kinds, "null"], **bounds}, {"const": ""}]}


def example(schema: type[Schema] | Schema) -> dict:
    """A body or an answer: the fields that are required, and others that have an example of their own."""
    known = (schema() if isinstance(schema, type) else schema).fields
    return {
        field.data_key or name: _example(field)
        for name, field in known.items()
        if field.required or "examples" in field.metadata
    }


def _example(field: fields.Field):
    if "examples" in field.metadata:
        return field.metadata["examples"][0]
    if isinstance(field, fields.Nested):
        return example(field.schema)
    if isinstance(field, fields.List):
        return [_example(field.inner)]
    for validator in field.validators:
        if isinstance(validator, validate.OneOf):
            return next(iter(validator.choices))
    if field.allow_none:
        return None
    return 1 if isinstance(field, fields.Number) else ""
