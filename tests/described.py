"""A client that holds every answer to the description of the API, and every body that was accepted."""

import json
import re
from functools import cache

from flask.testing import FlaskClient
from jsonschema_rs import Draft202012Validator

from mechtech import texts
from mechtech.openapi.description import describe

DESCRIPTION: dict = {}  # as the first app of this process makes it


class DescribedClient(FlaskClient):
    def open(self, *args, **kwargs):
        answer = super().open(*args, **kwargs)
        if not DESCRIPTION:
            DESCRIPTION.update(describe(self.application))
        method, path = answer.request.method, answer.request.environ["PATH_INFO"]
        check(method, path, answer.status_code, answer.headers, answer.data)
        if kwargs.get("json") is not None and answer.status_code < 300:
            check_accepted(method, path, kwargs["json"])
        return answer


def check(method: str, path: str, status: int, headers, body: bytes) -> None:
    """The status is described, the headers that are always there are, and the body has the described shape."""
    if method == "OPTIONS":
        return
    operation = find_operation("GET" if method == "HEAD" else method, path)
    if operation is None:
        if status in (404, 405) and method != "HEAD":
            check_shape({"$ref": "#/components/schemas/Error"}, body)
        return
    told = f"{method} {path} is answered with {status}"
    response = _resolved(operation["responses"].get(str(status)))
    assert response is not None, f"{told}, which is not described"
    for name, header in response["headers"].items():
        assert name in headers or not _resolved(header).get("required"), f"{told} without the header {name}"
    if method == "HEAD" or "content" not in response:
        assert body == b"", told
        return
    content_type = headers["Content-Type"].partition(";")[0]
    assert content_type in response["content"], f"{told} and {content_type}"
    if content_type == "application/json":
        check_shape(response["content"][content_type]["schema"], body)


def check_accepted(method: str, path: str, body: dict) -> None:
    """The description allows a body that was accepted, once its texts are trimmed and its phone number is cleaned."""
    operation = find_operation(method, path)
    if operation is None or "requestBody" not in operation:
        return
    read = {name: _as_read(name, value) for name, value in body.items()}
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    check_shape(schema, json.dumps(read).encode())


def _as_read(name: str, value):
    if not isinstance(value, str) or "assword" in name:
        return value
    return texts.clean_phone(value.strip()) if name == "phone" else value.strip()


def check_shape(schema: dict, body: bytes) -> None:
    for error in validator(json.dumps(schema)).iter_errors(json.loads(body)):
        raise AssertionError(f"{error.message} at {error.instance_path} of {body.decode()}")


@cache
def validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator({**json.loads(schema), "components": DESCRIPTION["components"]})


def find_operation(method: str, path: str) -> dict | None:
    path = path.rstrip("/") or "/"
    for pattern, operations in _patterns():
        if pattern.fullmatch(path):
            return operations.get(method.lower())
    return None


@cache
def _patterns() -> list[tuple[re.Pattern, dict]]:
    return [
        (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), operations)
        for path, operations in DESCRIPTION["paths"].items()
    ]


def _resolved(thing: dict | None) -> dict | None:
    """What a reference means."""
    if thing and "$ref" in thing:
        _, _, kind, name = thing["$ref"].split("/")
        return DESCRIPTION["components"][kind][name]
    return thing
