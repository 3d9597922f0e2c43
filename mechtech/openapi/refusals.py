"""How the description tells what an endpoint may refuse: the error, its status, its codes and its headers."""

from apispec import APISpec
from marshmallow import fields

from mechtech.errors import Refusal
from mechtech.web.answers import Answer
from mechtech.web.fields import about

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


def headers(status: int, counted: bool, *names: str) -> dict:
    """The headers of an answer, by reference. counted: whether its endpoint is under /api/."""
    all_names = ["X-Request-ID", *(RATE_LIMIT if counted else []), *OF_STATUS.get(status, []), *names]
    return {name: {"$ref": f"#/components/headers/{name}"} for name in all_names}


def add_to(spec: APISpec) -> None:
    spec.components.schema("Error", schema=Error)
    for name, (sentence, kind) in HEADERS.items():
        header = {"description": sentence, "schema": {"type": kind}, "required": name == "X-Request-ID"}
        spec.components.header(name, header)


def responses(spec: APISpec, refusals: set[type[Refusal]], counted: bool) -> dict[str, str]:
    """The responses of an endpoint that may raise these: by their status, the names of components."""
    messages: dict[int, dict[str, str]] = {}  # by status and code
    for refusal in sorted(refusals, key=lambda one: (one.status, one.code, one.message)):
        messages.setdefault(refusal.status, {}).setdefault(refusal.code, refusal.message)
    named = {}
    for status, of_status in messages.items():
        named[str(status)] = name = ".".join((str(status), *of_status, *(() if counted else ("uncounted",))))
        if name not in spec.components.responses:
            spec.components.response(name, _response(status, of_status, counted))
    return named


def _response(status: int, messages: dict[str, str], counted: bool) -> dict:
    *_, (code, message) = messages.items()
    example = {"error": code, "message": message, "requestId": "9f8528954043ee60"}
    if code in ("validation", "invalid_credentials"):
        example["fields"] = {"email": "This field is required."}
    shape = {"allOf": ["Error", {"properties": {"error": {"type": "string", "enum": list(messages)}}}]}
    return {
        "description": " ".join(f"`{code}`: {message}" for code, message in messages.items()),
        "headers": headers(status, counted),
        "content": {"application/json": {"schema": shape, "example": example}},
    }
