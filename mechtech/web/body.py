"""What comes in: the JSON layer (400 invalid_json, 413, 415) and the validation layer (400 validation)."""

import json
from functools import lru_cache, wraps
from hashlib import sha256
from urllib.parse import parse_qsl

from flask import request
from marshmallow import missing

from mechtech.errors import Invalid, InvalidJSON, PayloadTooLarge, UnsupportedMediaType
from mechtech.web.fields import RETRY_KEY
from mechtech.web.idempotency import Retry

LIMIT = 64 * 1024  # bytes


def takes(schema):
    """The view gets `fields`: the body as the schema loads it."""
    loader = schema()
    retryable = "idempotency_key" in loader.fields

    def decorate(view):
        @wraps(view)
        def validated(*args, **kwargs):
            environ = request.environ
            data = json_object(environ)
            if retryable:  # the key is validated with the body, so that all that is wrong is told at once
                data[RETRY_KEY] = environ.get("HTTP_IDEMPOTENCY_KEY", missing)
            return view(*args, fields=_load(loader, data), **kwargs)

        return validated

    return decorate


def asks(schema):
    """The view gets `query`: the query string as the schema loads it."""
    loader = schema()

    @lru_cache(64)  # the same things are asked for again and again; the string tells them apart
    def load(query_string: bytes) -> dict:
        try:
            pairs = parse_qsl(query_string.decode(), keep_blank_values=True, errors="strict")
        except UnicodeDecodeError:
            raise Invalid(fields={"query": "This must be text in UTF-8."}) from None
        return _load(loader, dict(reversed(pairs)))  # of a name that stands twice, the first counts

    def decorate(view):
        @wraps(view)
        def validated(*args, **kwargs):
            return view(*args, query=dict(load(request.query_string)), **kwargs)

        return validated

    return decorate


def raw(environ: dict) -> bytes:
    """The body, read once. A chunked one is cut silently at Flask's own limit, so the limit is kept here."""
    if "mechtech.web.body" not in environ:
        claimed = environ.get("CONTENT_LENGTH", "")[:18]  # digits; of more, these are too many already
        length = int(claimed) if claimed.isascii() and claimed.isdigit() else 0
        if length > LIMIT:  # at once: whoever only claims it must not be waited for
            raise PayloadTooLarge
        try:
            body = environ["wsgi.input"].read(length or LIMIT + 1)
        except Exception:  # broken chunks, a client that is gone: each server has errors of its own for it
            raise InvalidJSON from None
        if len(body) > LIMIT:
            raise PayloadTooLarge
        if len(body) < length:
            raise InvalidJSON
        environ["mechtech.web.body"] = body
    return environ["mechtech.web.body"]


def take_retry(fields: dict, user_id: int | None) -> Retry:
    """The Idempotency-Key, out of the fields, with what it stands for."""
    key = fields.pop("idempotency_key")
    return Retry(key, key and sha256(raw(request.environ)).digest(), user_id)


def json_object(environ: dict) -> dict:
    body = raw(environ)
    if body and environ.get("CONTENT_TYPE") != "application/json" and request.mimetype != "application/json":
        raise UnsupportedMediaType
    try:
        value = DECODER.decode(body.decode())
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
        raise ValueError("a name stands twice")
    return value


DECODER = json.JSONDecoder(parse_constant=_refuse, object_pairs_hook=_object)


def _load(loader, data: dict) -> dict:
    fields, wrong = loader.read(data)
    if wrong:
        raise Invalid(fields=wrong)
    return fields
