"""What comes in: the JSON layer (400 invalid_json, 413, 415) and the validation layer (400 validation)."""

import json
from collections import Counter
from functools import lru_cache, wraps
from types import MappingProxyType
from urllib.parse import parse_qsl

from flask import request

from mechtech.errors import Invalid, InvalidJSON, PayloadTooLarge, UnsupportedMediaType
from mechtech.web.answers import may_raise
from mechtech.web.authentication import caller_or_guest

LIMIT = 64 * 1024  # bytes
UNKNOWN = "This name is not known here."


def takes(schema, headers=None):
    """The view gets `fields`: the body as the schema loads it.

    Fields that the schema does not know are an error of a PUT; the success of a POST, a dict, names them as `ignored`.
    headers: a schema for headers of the request, which are validated with the body, so that all that is wrong is told
    at once.
    """
    loader, header_loader = schema(), headers and headers()

    def decorate(view):
        @wraps(view)
        def validated(*args, **kwargs):
            data = json_object()
            unknown = loader.unknown_names(data)
            kwargs["fields"], wrong = loader.read(data)
            if request.method == "PUT":
                wrong |= dict.fromkeys(unknown, UNKNOWN)
            if header_loader:
                sent = {name: request.headers[name] for name in header_loader.sent_names if name in request.headers}
                wrong |= header_loader.read(sent)[1]
            if wrong:
                raise Invalid(fields=wrong)
            answer = view(*args, **kwargs)
            body, *rest = answer if isinstance(answer, tuple) else (answer, 200)
            return ({**body, "ignored": unknown}, *rest) if unknown and isinstance(body, dict) else answer

        validated.body_schema, validated.headers_schema = schema, headers
        return may_raise(validated, InvalidJSON, Invalid, PayloadTooLarge, UnsupportedMediaType)

    return decorate


def asks(schema, for_admin=None):
    """The view gets `query`: the query string as the schema loads it, which it must not change.

    for_admin: the schema for an admin, who may ask for more. To everyone else its further names are unknown ones.
    """
    load, load_for_admin = _query_loader(schema), _query_loader(for_admin or schema)

    def decorate(view):
        @wraps(view)
        def validated(*args, **kwargs):
            chosen = load_for_admin if for_admin and caller_or_guest().is_admin else load
            return view(*args, query=chosen(request.query_string), **kwargs)

        validated.query_schema = for_admin or schema
        return may_raise(validated, Invalid)

    return decorate


def _query_loader(schema):
    """A function from a query string to what the schema loads of it."""
    loader = schema()

    @lru_cache(64)  # the same things are asked for again and again; the string tells them apart
    def load(query_string: bytes):
        try:
            pairs = parse_qsl(query_string.decode(), keep_blank_values=True, errors="strict")
        except UnicodeDecodeError:
            raise Invalid(fields={"query": "This must be text in UTF-8."}) from None
        data = dict(reversed(pairs))  # of a name that stands twice, the first counts
        query, wrong = loader.read(data)
        wrong |= {name: UNKNOWN for name in loader.unknown_names(data) if not name.startswith("_")}
        if wrong:
            raise Invalid(fields=wrong)
        return MappingProxyType(query) if isinstance(query, dict) else query

    return load


def raw() -> bytes:
    """The body, which request.get_json() still has after it.

    A chunked one is cut silently at Flask's own limit, so the limit is kept here.
    """
    claimed = request.content_length or 0
    if claimed > LIMIT:  # at once: the body may be claimed and never come
        raise PayloadTooLarge
    if not claimed:
        request.max_content_length = LIMIT + 1
    try:
        body = request.get_data()  # empty where the server does not know its end
    except Exception:  # broken chunks, a client that is gone: each server has errors of its own for it
        raise InvalidJSON from None
    if len(body) > LIMIT:
        raise PayloadTooLarge
    if len(body) < claimed:
        raise InvalidJSON
    return body


def json_object() -> dict:
    """The body. A byte order mark in front is skipped. Raises InvalidJSON, UnsupportedMediaType, PayloadTooLarge."""
    if request.environ.get("HTTP_CONTENT_ENCODING", "").lower() not in ("", "identity"):
        raise UnsupportedMediaType("The body must be sent as it is, without a Content-Encoding.")
    body = raw()
    if body and request.mimetype != "application/json":
        raise UnsupportedMediaType
    try:
        value = DECODER.decode(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise InvalidJSON from None
    if not isinstance(value, dict):
        raise InvalidJSON
    return value


def _refuse(constant):
    raise ValueError(constant)  # NaN and the infinities are not JSON


def _object(pairs):
    value = dict(pairs)
    if len(value) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise InvalidJSON(f'The name "{twice[:50]}" stands twice in the body.')
    return value


DECODER = json.JSONDecoder(parse_constant=_refuse, object_pairs_hook=_object)
