"""Readers of settings. Each function returns the value of a text, or raises any error where the text has none."""

import re
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from os import link
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import urlsplit

import jwt
import limits

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}  # in seconds
PLACE = r"(?:[^\s,:/?#@\[\]]+|\[[0-9a-f:.]+\])(?::[0-9]+)?"  # of a server
SERVER = rf"(?:[^/?#\n]*@)?{PLACE}"  # of a URL, with a user and a password
# libpq ends the user and the password at the first @, and tries several servers one after the other.
DATABASE_URL = rf"(postgres(?:ql)?://(?:(?:[^/?#@\n]*@)?{PLACE}(?:,{PLACE})*)?/[^?].*)"
MAIL_URL = f"(smtps?://{SERVER})/?"
WEB_URL = rf"(https?://{SERVER}(?:/[^\s?#]*?)?)/*"  # what links begin with
ADDRESS = r"([^\s@<>\x00-\x1f]+@[^\s@<>\x00-\x1f]+)"
ORIGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
DEFAULT_PORTS = {"http": "80", "https": "443"}


def matching(pattern: str) -> Callable[[str], str]:
    """A reader of texts that match the whole pattern; the first group is the value."""
    return lambda text: re.fullmatch(pattern, text)[1]


def url(pattern: str) -> Callable[[str], str]:
    """What reads URLs that match, with ports that there are, if they have any."""

    def read(text: str) -> str:
        found = matching(pattern)(text)
        for place in urlsplit(found).netloc.rpartition("@")[2].split(","):
            _require(urlsplit(f"//{place}").port != 0)  # one above 65535 is a ValueError
        return found

    return read


def host(text: str) -> str:
    """An address of this machine; only trying tells."""
    socket.create_server((text, 0), family=socket.AF_INET6 if ":" in text else socket.AF_INET).close()
    return text


def file(path: Path) -> str:
    _require(path.parent.is_dir() and not path.is_dir())
    return str(path)


def secret(text: str) -> str:
    """What looks like a PEM key would fail when it is first used to sign."""
    jwt.encode({}, text, "HS256")
    return text


def kept_secret(path: Path) -> str:
    """The secret in the file, which is made if it is not there."""
    if not path.exists():
        with NamedTemporaryFile("w", dir=path.parent) as draft:  # which only its owner may read
            draft.write(secrets.token_hex(32))
            draft.flush()
            with suppress(FileExistsError):  # workers start together
                link(draft.name, path)
    return path.read_text(encoding="ascii").strip()


def duration(text: str) -> int:
    """In seconds."""
    match = re.fullmatch(r"([0-9]{1,9})([smhdw])", text)
    seconds = int(match[1]) * UNITS[match[2]] if match else 0
    _require(1 <= seconds <= 10 * 365 * UNITS["d"])
    return seconds


def rate(text: str) -> limits.RateLimitItem:
    (parsed,) = limits.parse_many(text)  # of several, parse() would take the first
    _require(0 not in map(int, re.findall("[0-9]+", text)))  # limits reads "per 0 minutes" as "per minute"
    return parsed


def storage(uri: str) -> str:
    # Without its library, limits refuses a MongoDB with a traceback besides.
    _require(not uri.startswith("mongodb") or find_spec("pymongo"))
    limits.storage.storage_from_string(uri)
    return uri


def origins(text: str) -> tuple[str, ...]:
    """Exact ones only, since a pattern would match more than it seems to. A default port is left out."""
    return tuple(_origin(part.strip()) for part in text.split(",") if part.strip())


def _origin(text: str) -> str:
    if text == "null":
        return text
    match = ORIGIN.fullmatch(text)
    _require(match and match["scheme"] not in ("file", "ftp") and 0 < int(match["port"] or 1) < 65536)
    is_default = match["port"] == DEFAULT_PORTS.get(match["scheme"], "")
    return text.removesuffix(f":{match['port']}") if is_default else text


def _require(condition: object) -> None:
    if not condition:
        raise ValueError
