"""The description of the API in OpenAPI 3.1, from the schemas in force and from what stands at each route."""

import re
from collections.abc import Callable
from http import HTTPStatus
from inspect import cleandoc

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
from marshmallow import Schema
from werkzeug.routing import Rule

from mechtech.errors import NotFound, OriginForbidden, RateLimited, ServerError, Unavailable
from mechtech.openapi import fields, refusals
from mechtech.openapi.examples import example
from mechtech.version import VERSION
from mechtech.web.paths import endpoints
from mechtech.web.schemas import Body, Part

ABOUT = """
Bodies are JSON objects, of at most 64 KiB. Texts are trimmed before their lengths count, passwords never. A field that
is not required may be null or empty. One that is not known is named in `ignored` of a POST's success, and is an error
of a PUT, as are unknown names in a query, but for those that begin with `_`. What JSON Schema cannot say, the fields
say in a sentence.

Every path answers with and without a trailing slash. Times are in UTC. A token goes into the header
`Authorization: Bearer …`.
"""
TAGS = {
    "auth": "Accounts, and the tokens they sign in with.",
    "booking": "From the call for help to the review.",
    "mechanics": "The directory, and who is free.",
    "contact": "Messages of the contact form.",
    "health": "For monitoring, and an index.",
    "metrics": "For Prometheus.",
    "pages": "For people with a browser.",
    "openapi": "This description.",
}
WHO = {
    "anyone": "For anyone.",
    "user": "For the holder of a user's token.",
    "owner": "For the user whose booking it is, the holder of its token, and an admin.",
    "admin": "For an admin.",
    "holder": "For the holder of METRICS_TOKEN.",
}
SECURITY = {
    "userToken": "Of an account: the answers to sign-up and sign-in have it.",
    "bookingToken": "Of one booking: the answer to a guest's booking has it.",
    "metricsToken": "The setting METRICS_TOKEN of the service.",
}


def describe(app: Flask) -> dict:
    """The whole description, for json.dumps."""
    schemas: dict[str, type[Schema]] = {}

    def name_of(schema: type[Schema] | Schema) -> str:
        """The name among the components: BookingBody is what is sent, Booking what is answered."""
        kind = schema if isinstance(schema, type) else type(schema)
        name = f"{kind.__name__}Body" if issubclass(kind, Body) else kind.__name__
        schemas[name] = kind
        return name

    plugin = MarshmallowPlugin(schema_name_resolver=name_of)
    tags = [{"name": name, "description": sentence} for name, sentence in TAGS.items()]
    info = {"description": cleandoc(ABOUT)}
    spec = APISpec("MechTECH", VERSION, "3.1.0", plugins=[plugin], info=info, tags=tags)
    fields.add_to(plugin.converter)
    refusals.add_to(spec)
    for name, sentence in SECURITY.items():
        form = {} if name == "metricsToken" else {"bearerFormat": "JWT"}
        bearer = {"type": "http", "scheme": "bearer", **form, "description": sentence}
        spec.components.security_scheme(name, bearer)
    for method, path, view, rule in endpoints(app):
        operation = _operation(spec, view, rule)
        operation["parameters"] += _in_path(app, rule)
        spec.path(path, operations={method.lower(): operation})
    described = spec.to_dict()
    components = described["components"]["schemas"]
    for name, kind in schemas.items():
        components[name] |= _beyond_fields(kind, components[name])
    _add_examples(described["paths"], components)
    return described


def _in_path(app: Flask, rule: Rule) -> list[dict]:
    return [
        {"in": "path", "name": name, "required": True, "schema": app.url_map.converters[converter].described}
        for converter, name in re.findall("<(.*?):(.*?)>", rule.rule)
    ]


def _operation(spec: APISpec, view: Callable, rule: Rule) -> dict:
    blueprint, _, name = rule.endpoint.partition(".")
    summary, _, more = cleandoc(view.__doc__).partition("\n")
    counted = rule.rule.startswith("/api/")
    may_refuse = {OriginForbidden, ServerError, *getattr(view, "refusals", ())}
    if rule.arguments:
        may_refuse.add(NotFound)
    if counted:
        may_refuse |= {RateLimited, Unavailable}
    operation = {
        "operationId": f"{blueprint}_{name}",
        "summary": summary,
        "description": f"{WHO[view.who]} {' '.join(more.split())}".rstrip(),
        "tags": [blueprint],
        "security": view.security,
        "parameters": [
            {"in": place, "schema": schema}
            for place, schema in (("query", _noted(view, "query_schema")), ("header", _noted(view, "headers_schema")))
            if schema
        ],
        "responses": _successes(view, counted) | refusals.responses(spec, may_refuse, counted),
    }
    if schema := _noted(view, "body_schema"):
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _noted(view: Callable, name: str):
    """What a decorator noted about the view; None if none did."""
    return getattr(view, name, None)


def _successes(view: Callable, counted: bool) -> dict[str, dict]:
    told = {}
    for status, schema in (_noted(view, "answers") or {}).items():
        more = (*(refusals.RATE_LIMIT if counted else ()), *refusals.OF_STATUS.get(status, ()))
        if _noted(view, "headers_schema"):
            more = (*more, "Idempotent-Replayed")
        told[str(status)] = _response(status, "application/json", schema, *more)
    if text_type := _noted(view, "text_type"):
        told["200"] = _response(200, text_type.partition(";")[0], {"type": "string"})
    if content_type := _noted(view, "content_type"):
        file = _response(200, content_type, {"type": "object" if "json" in content_type else "string"}, "ETag")
        if "200" in told:
            file["content"] |= told["200"]["content"]
        told |= {"200": file, "304": {"description": "Not Modified", "headers": refusals.headers("ETag")}}
    return told


def _response(status: int, content_type: str, schema, *headers: str) -> dict:
    content = {content_type: {"schema": schema}}
    return {"description": HTTPStatus(status).phrase, "headers": refusals.headers(*headers), "content": content}


def _beyond_fields(kind: type[Schema], component: dict) -> dict:
    """What a schema as a whole adds to the description of its fields."""
    beyond = {"description": cleandoc(kind.__doc__)} if kind.__doc__ else {}
    if not issubclass(kind, Body):
        return beyond
    if kind.min_properties:
        beyond["minProperties"] = kind.min_properties
    if issubclass(kind, Part):  # the body of a PUT
        beyond["additionalProperties"] = False
    for alias, name in kind.aliases.items():
        field = {**component["properties"][name], "description": f"Taken where `{name}` is absent."}
        component["required"].remove(name)
        beyond["anyOf"] = [{"required": [name]}, {"properties": {alias: field}, "required": [alias]}]
    return beyond


def _add_examples(paths: dict, components: dict) -> None:
    for path in paths.values():
        for operation in path.values():
            for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
                for media in holder.get("content", {}).values():
                    if "$ref" in media["schema"]:
                        media["example"] = example(media["schema"], components)
