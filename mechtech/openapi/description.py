"""The description of the API in OpenAPI 3.1, from the schemas in force and from what stands at each route."""

import re
import sys
from collections.abc import Callable
from http import HTTPStatus
from inspect import cleandoc

from apispec import APISpec
from flask import Flask
from marshmallow import Schema, fields
from werkzeug.routing import Rule

from mechtech.errors import NotFound, OriginForbidden, RateLimited, Refusal, ServerError, Unavailable
from mechtech.openapi import schemas
from mechtech.version import VERSION
from mechtech.web.answers import IGNORED, Answer
from mechtech.web.fields import about
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

HEADERS = {
    "X-Request-ID": ("The id of the request, which the log tells too: the one that was sent, if it is sane.", "string"),
    "X-RateLimit-Limit": ("How many requests under /api/ a window has for one address.", "integer"),
    "X-RateLimit-Remaining": ("How many are left.", "integer"),
    "X-RateLimit-Reset": ("When the window ends, in seconds since 1970.", "integer"),
    "Retry-After": ("In how many seconds to try again.", "integer"),
    "WWW-Authenticate": ("What is wrong with the token, as RFC 6750 has it.", "string"),
    "Idempotent-Replayed": ("`true` where an earlier request with this key has done it.", "string"),
    "ETag": ("For `If-None-Match`.", "string"),
}
OF_STATUS = {401: ["WWW-Authenticate"], 429: ["Retry-After"], 503: ["Retry-After"]}
RATE_LIMIT = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"]


class Error(Answer):
    """Every error has this shape."""

    error = fields.String(metadata=about("A code, for a program.", "not_found"))
    message = fields.String(metadata=about("A sentence, for a person.", "Not found."))
    request_id = fields.String(data_key="requestId", metadata=about("As in `X-Request-ID`.", "9f8528954043ee60"))
    wrong_fields = fields.Dict(
        values=fields.String(),
        data_key="fields",
        metadata=about("With `validation` and `invalid_credentials`: what is wrong where.", optional=True),
    )


def describe(app: Flask) -> dict:
    """The whole description, for json.dumps."""
    plugin = schemas.Plugin(schema_name_resolver=schemas.name_of)
    spec = APISpec("MechTECH", VERSION, "3.1.0", plugins=[plugin], info={"description": cleandoc(ABOUT)})
    plugin.converter.add_attribute_function(schemas.describe_input)
    spec.components.schema("Error", schema=Error)
    for name, (sentence, kind) in HEADERS.items():
        header = {"description": sentence, "schema": {"type": kind}, "required": name == "X-Request-ID"}
        spec.components.header(name, header)
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
        "responses": _successes(noted, counted) | _refusals(spec, may_refuse, counted),
    }
    if "body_schema" in noted:
        operation["requestBody"] = {"required": True, "content": _json(noted["body_schema"])}
    return operation


def _successes(noted: dict, counted: bool) -> dict[str, dict]:
    """counted: whether the endpoint is under /api/."""
    retried = ["Idempotent-Replayed"] if noted.get("headers_schema") else []
    posted = "body_schema" in noted and not issubclass(noted["body_schema"], Part)
    told = {}
    for status, of_status in noted.get("answers", {}).items():
        schema = Answer.from_dict({**of_status, **({"ignored": IGNORED} if posted else {})}, name="")
        told[str(status)] = _response(status, counted, _json(schema), *retried)
    if text_type := noted.get("content_type"):
        tag = ["ETag"] if noted["tagged"] else []
        content = {text_type.partition(";")[0]: {"schema": {"type": "object" if "json" in text_type else "string"}}}
        told["200"] = _response(200, counted, {**content, **told.get("200", {}).get("content", {})}, *tag)
        if tag:
            told["304"] = {"description": "Not Modified", "headers": told["200"]["headers"]}
    return told


def _refusals(spec: APISpec, refusals: set[type[Refusal]], counted: bool) -> dict[str, str]:
    """The responses of an endpoint that may raise these: by their status, the names of components."""
    messages: dict[int, dict[str, str]] = {}  # by status and code
    for refusal in sorted(refusals, key=lambda one: (one.status, one.code, one.message)):
        messages.setdefault(refusal.status, {}).setdefault(refusal.code, refusal.message)
    named = {}
    for status, of_status in messages.items():
        named[str(status)] = name = ".".join((str(status), *of_status, *(() if counted else ("uncounted",))))
        if name in spec.components.responses:
            continue
        *_, (code, message) = of_status.items()
        example = {"error": code, "message": message, "requestId": "9f8528954043ee60"}
        if code in ("validation", "invalid_credentials"):
            example["fields"] = {"email": "This field is required."}
        shape = {"allOf": ["Error", {"properties": {"error": {"type": "string", "enum": list(of_status)}}}]}
        response = _response(status, counted, {"application/json": {"schema": shape, "example": example}})
        response["description"] = " ".join(f"`{code}`: {message}" for code, message in of_status.items())
        spec.components.response(name, response)
    return named


def _json(schema: type[Schema]) -> dict:
    return {"application/json": {"schema": schema, "example": schemas.example(schema)}}


def _response(status: int, counted: bool, content: dict, *more_headers: str) -> dict:
    names = ["X-Request-ID", *(RATE_LIMIT if counted else []), *OF_STATUS.get(status, []), *more_headers]
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    return {"description": HTTPStatus(status).phrase, "headers": headers, "content": content}
