"""The description of the API in OpenAPI 3.1, from the schemas in force and from what stands at each route."""

import re
import sys
from collections.abc import Callable
from http import HTTPStatus
from inspect import cleandoc

from apispec import APISpec
from flask import Flask
from marshmallow import Schema
from werkzeug.routing import Rule

from mechtech.errors import NotFound, OriginForbidden, RateLimited, ServerError, Unavailable
from mechtech.openapi import refusals, schemas
from mechtech.version import VERSION
from mechtech.web.answers import IGNORED, Answer
from mechtech.web.paths import endpoints
from mechtech.web.schemas import Part

ABOUT = """
Bodies are JSON objects, of at most 64 KiB. Texts are trimmed before their lengths count, passwords never. A field that
is not required may be null or empty. One that is not known is named in `ignored` of a POST's success, and is an error
of a PUT, as are unknown names in a query, but for those that begin with `_`. What JSON Schema cannot say, the fields
say in a sentence.

Every path answers with and without a trailing slash. Times are in UTC. A token goes into the header
`Authorization: Bearer …`.
"""
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
    plugin = schemas.Plugin(schema_name_resolver=schemas.name_of)
    spec = APISpec("MechTECH", VERSION, "3.1.0", plugins=[plugin], info={"description": cleandoc(ABOUT)})
    plugin.converter.add_attribute_function(schemas.describe_input)
    refusals.add_to(spec)
    for name, sentence in SECURITY.items():
        spec.components.security_scheme(name, {"type": "http", "scheme": "bearer", "description": sentence})
    for name, blueprint in app.blueprints.items():
        if name != "errors":  # which has no routes
            told = sys.modules[blueprint.import_name].__doc__ or ""
            spec.tag({"name": name, "description": told.partition("\n")[0]})
    for method, path, view, rule in endpoints(app):
        spec.path(path, operations={method.lower(): _operation(spec, app, view, rule)})
    return spec.to_dict()


def _operation(spec: APISpec, app: Flask, view: Callable, rule: Rule) -> dict:
    blueprint, _, name = rule.endpoint.partition(".")
    summary, _, more = cleandoc(view.__doc__ or "").partition("\n")
    noted = vars(view)  # by the view's decorators
    counted = rule.rule.startswith("/api/")
    may_refuse = {OriginForbidden, ServerError, *noted.get("refusals", ())}
    if counted:
        may_refuse |= {RateLimited, Unavailable}
    parameters = [
        {"in": place, "schema": noted[schema]}
        for place, schema in (("query", "query_schema"), ("header", "headers_schema"))
        if noted.get(schema)
    ]
    for converter, part in re.findall(r"<(?:(\w+).*?:)?(\w+)>", rule.rule):
        may_refuse.add(NotFound)
        described = getattr(app.url_map.converters[converter or "default"], "described", {"type": "string"})
        parameters.append({"in": "path", "name": part, "required": True, "schema": described})
    operation = {
        "operationId": f"{blueprint}_{name}",
        **({"summary": summary} if summary else {}),
        "description": f"{WHO[view.who]} {' '.join(more.split())}".rstrip(),
        "tags": [blueprint],
        "security": view.security,
        "parameters": parameters,
        "responses": _successes(noted, counted) | refusals.responses(spec, may_refuse, counted),
    }
    if "body_schema" in noted:
        operation["requestBody"] = {"required": True, "content": _json(noted["body_schema"])}
    return operation


def _successes(noted: dict, counted: bool) -> dict[str, dict]:
    retried = ["Idempotent-Replayed"] if noted.get("headers_schema") else []
    posted = "body_schema" in noted and not issubclass(noted["body_schema"], Part)
    told = {}
    for status, fields in noted.get("answers", {}).items():
        schema = Answer.from_dict({**fields, **({"ignored": IGNORED} if posted else {})}, name="")
        told[str(status)] = _response(status, _json(schema), refusals.headers(status, counted, *retried))
    if text_type := noted.get("content_type"):
        headers = refusals.headers(200, counted, *(["ETag"] if noted["tagged"] else []))
        content = {text_type.partition(";")[0]: {"schema": {"type": "object" if "json" in text_type else "string"}}}
        told["200"] = _response(200, {**content, **told.get("200", {}).get("content", {})}, headers)
        if noted["tagged"]:
            told["304"] = {"description": "Not Modified", "headers": headers}
    return told


def _json(schema: type[Schema]) -> dict:
    return {"application/json": {"schema": schema, "example": schemas.example(schema)}}


def _response(status: int, content: dict, headers: dict) -> dict:
    return {"description": HTTPStatus(status).phrase, "headers": headers, "content": content}
