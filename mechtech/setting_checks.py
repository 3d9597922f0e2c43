"""The checks of the settings. Each returns the value, or raises SettingError with one line that names the setting."""

import os
import re
import secrets
import socket
from pathlib import Path
from urllib.parse import urlsplit

import jwt
import limits

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")
DEFAULT_PORTS = {"http": "80", "https": "443"}


class SettingError(Exception):
    """A setting that is wrong; its text is one line that names it."""


def choice(name: str, text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise SettingError(f"{name} must be {' or '.join(choices)}, not {text!r}")
    return text


def whole(name: str, text: str, low: int, high: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise SettingError(f"{name} must be a whole number from {low} to {high}, not {text!r}")
    return int(text)


def host(text: str) -> str:
    """An address of this machine; only trying tells."""
    try:
        socket.create_server((text, 0), family=socket.AF_INET6 if ":" in text else socket.AF_INET).close()
    except (OSError, UnicodeError):
        raise SettingError(f"HOST must be an address of this machine, not {text!r}") from None
    return text


def db_path(path: Path) -> str:
    if not path.parent.is_dir() or path.is_dir():
        raise SettingError(f"DB_PATH must name a file in a folder that exists, not {str(path)!r}")
    return str(path)


def database_url(text: str | None) -> str | None:
    """Its password is never shown."""
    try:
        if text and (not re.match("postgres(ql)?://", text) or not urlsplit(text).path.strip("/")):
            raise ValueError("not the URL of a database")
        urlsplit(text or "").port  # noqa: B018  raises ValueError for a port that is none
    except ValueError:
        raise SettingError("DATABASE_URL must be like postgresql://user:password@host:5432/database") from None
    return text


def secret(text: str | None, production: bool, file: Path) -> str:
    """file: where development keeps a secret that it made once."""
    if text is None and production:
        raise SettingError("JWT_SECRET must be set in production, to at least 32 bytes")
    if text is None:
        try:
            text = _development_secret(file)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise SettingError(f"JWT_SECRET must be set, or {file} made and read, which fails: {reason}") from None
        if not text:
            raise SettingError(f"JWT_SECRET must be set, or {file} removed, which is empty")
    return _checked_secret("JWT_SECRET", text, production)


def previous_secret(text: str | None, production: bool) -> str | None:
    return text and _checked_secret("JWT_SECRET_PREVIOUS", text, production)


def _checked_secret(name: str, text: str, production: bool) -> str:
    try:
        if production and len(text.encode()) < 32:
            raise SettingError(f"{name} must be of at least 32 bytes in production")
        jwt.encode({}, text, "HS256")  # a text that looks like a PEM key fails at first use otherwise
    except (jwt.PyJWTError, ValueError):
        raise SettingError(f"{name} must be plain text, not a key file") from None
    return text


def _development_secret(path: Path) -> str:
    """One made once and kept beside the database; linked into place whole, since workers start together."""
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(32))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="ascii").strip()


def duration(name: str, text: str) -> int:
    """In seconds."""
    match = re.fullmatch(r"([0-9]{1,9})([smhdw])", text)
    seconds = int(match[1]) * SECONDS[match[2]] if match else 0
    if not 1 <= seconds <= 10 * 365 * SECONDS["d"]:
        raise SettingError(f"{name} must be a time like 7d, 12h, 30m or 90s, not {text!r}")
    return seconds


def rate(text: str) -> limits.RateLimitItem:
    try:
        (parsed,) = limits.parse_many(text)  # of several, parse() would take the first
        if 0 not in map(int, re.findall("[0-9]+", text)):  # limits reads "per 0 minutes" as "per minute"
            return parsed
    except ValueError:
        pass
    raise SettingError(f"RATE_LIMIT must be like '100 per 15 minutes', not {text!r}")


def storage(uri: str | None) -> str | None:
    if uri is not None:
        try:
            limits.storage.storage_from_string(uri)
        except Exception as error:  # each storage of the library complains in its own way
            raise SettingError(f"RATE_LIMIT_STORAGE cannot be used: {type(error).__name__}") from None
    return uri


def origins(text: str | None, production: bool) -> tuple[str, ...] | None:
    """Exact origins only, since a pattern would match more than it seems to. A default port is left out."""
    if text is None:
        return () if production else None
    return tuple(_origin(part.strip()) for part in text.split(",") if part.strip())


def _origin(text: str) -> str:
    match = ORIGIN.fullmatch(text)
    if text != "null" and (not match or match[1] in ("file", "ftp") or not 0 < int(match[3] or 1) < 65536):
        raise SettingError(f"CORS_ORIGINS must list origins like https://mechtech.com, not {text!r}")
    return text.removesuffix(f":{match[3]}") if match and match[3] == DEFAULT_PORTS.get(match[1], "") else text


def url(name: str, text: str) -> str:
    """An address that links begin with, without a slash at its end."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise SettingError(f"{name} must be like https://mechtech.com, not {text!r}")
    return text.rstrip("/")


def mail_url(text: str | None) -> str | None:
    """Its password is never shown."""
    try:
        if text and (not re.match("smtps?://", text) or not urlsplit(text).hostname or urlsplit(text).port == 0):
            raise ValueError("not the URL of a mail server")
    except ValueError:
        raise SettingError("MAIL_URL must be like smtp://user:password@host:587") from None
    return text


def address(name: str, text: str | None, needed: bool) -> str | None:
    if text is None and needed:
        raise SettingError(f"{name} must be set with MAIL_URL")
    if text and not re.fullmatch(r"[^\s@<>\x00-\x1f]+@[^\s@<>\x00-\x1f]+", text):
        raise SettingError(f"{name} must be an e-mail address, not {text!r}")
    return text


def metrics_token(text: str | None) -> str | None:
    if text and len(text) < 16:
        raise SettingError("METRICS_TOKEN must have at least 16 characters")
    return text


def without_password(address: str | None) -> str | None:
    """A URL as it may be shown."""
    return address and re.sub(r"://.*@", "://…@", re.sub(r"(?<=password=)[^&]*", "…", address))
