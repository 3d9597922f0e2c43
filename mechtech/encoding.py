"""How answers are written: compact JSON in the order of the rows, by one encoder that is made once."""

import json

from flask import Flask
from flask.json.provider import JSONProvider


class JSONText(str):
    """JSON already, as a value of an answer: SQLite wrote it."""

    __slots__ = ()


class CompactJSON(JSONProvider):
    _encode = staticmethod(json.JSONEncoder(separators=(",", ":"), check_circular=False, allow_nan=False).encode)

    def dumps(self, obj, **kwargs) -> str:
        if JSONText in map(type, obj.values()):
            pairs = (
                f'"{name}":{value if type(value) is JSONText else self._encode(value)}' for name, value in obj.items()
            )
            return f"{{{','.join(pairs)}}}"
        return self._encode(obj)

    def loads(self, s, **kwargs):
        return json.loads(s)


def init_app(app: Flask) -> None:
    app.json = CompactJSON(app)
