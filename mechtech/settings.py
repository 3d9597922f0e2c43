"""The settings, from the environment and, beneath it, a `.env` file: the contract's section Settings.

gunicorn.conf.py runs this file by its path, so that a reload sees new code: it imports nothing of the package.
"""

import os
import re
import secrets
import socket
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import jwt
import limits

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def cores() -> int:
    """Those that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class SettingError(Exception):
    """A setting that is wrong; its text is one line that names it."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    env: str
    host: str
    port: int
    db_path: str
    database_url: str | None  # PostgreSQL instead of the file at db_path
    jwt_secret: str
    jwt_secret_previous: str | None
    jwt_expire: int  # seconds
    rate_limit: limits.RateLimitItem
    rate_limit_storage: str | None  # a URI of the limits library; None for the file beside the database
    cors_origins: tuple[str, ...] | None  # None: development's own
    trusted_proxies: int
    mechanic_capacity: int
    bcrypt_rounds: int
    web_concurrency: int

    @property
    def production(self) -> bool:
        return self.env == "production"


def load(dotenv: Path = Path(".env")) -> Settings:
    """The settings of this process; raises SettingError."""
    return from_environment({**read_dotenv(dotenv), **os.environ})


def read_dotenv(path: Path) -> dict[str, str]:
    """The `NAME=value` lines of a .env file, quotes taken off; {} where there is no file."""
    if not path.is_file():
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except ValueError:
        raise SettingError(f"{path.name} must be text in UTF-8") from None
    lines = (line.strip().removeprefix("export ") for line in text.splitlines())
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): re.sub(r"""\A(["'])(.*)\1\Z""", r"\2", value.strip()) for name, value in pairs}


def from_environment(environ: dict[str, str]) -> Settings:
    """Settings from names and texts as the contract lists them; an empty text means the default."""

    def get(name, default=None):
        return environ.get(name, "").strip() or default

    def whole(name, default, low, high):
        text = get(name, str(default))
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise SettingError(f"{name} must be a whole number from {low} to {high}, not {text!r}")
        return int(text)

    env = get("MECHTECH_ENV", "development")
    if env not in ("development", "production"):
        raise SettingError(f"MECHTECH_ENV must be development or production, not {env!r}")
    db_path = get("DB_PATH", "mechtech.db")
    if not Path(db_path).absolute().parent.is_dir() or Path(db_path).is_dir():
        raise SettingError(f"DB_PATH must name a file in a folder that exists, not {db_path!r}")
    if _is_original(db_path):
        raise SettingError(
            f"DB_PATH must not name the original service's database, {db_path!r}: name a new file, and copy the "
            f"original into it with flask --app wsgi import-original {db_path}"
        )
    return Settings(
        env=env,
        host=_host(get("HOST", "127.0.0.1")),
        port=whole("PORT", 3000, 1, 65535),
        db_path=db_path,
        database_url=get("DATABASE_URL"),
        jwt_secret=_secret(get("JWT_SECRET"), env, db_path),
        jwt_secret_previous=_previous_secret(get("JWT_SECRET_PREVIOUS"), env),
        jwt_expire=_duration(get("JWT_EXPIRE", "7d")),
        rate_limit=_rate(get("RATE_LIMIT", "1000 per hour" if env == "production" else "100 per 15 minutes")),
        rate_limit_storage=_storage(get("RATE_LIMIT_STORAGE")),
        cors_origins=_origins(get("CORS_ORIGINS"), env),
        trusted_proxies=whole("TRUSTED_PROXIES", 0, 0, 20),
        mechanic_capacity=whole("MECHANIC_CAPACITY", 5, 1, 1000),
        bcrypt_rounds=whole("BCRYPT_ROUNDS", 10, 4, 20),
        web_concurrency=whole("WEB_CONCURRENCY", min(max(2, cores()), 64), 1, 64),
    )


def _is_original(db_path: str) -> bool:
    """Whether the file has tables of the original service. They are not STRICT, as those of schema.sql are."""
    try:
        with open(db_path, "rb") as file:
            if file.read(64)[60:64] != bytes(4):  # the version: ours has one, an empty file has no header
                return False
        with closing(sqlite3.connect(f"{Path(db_path).absolute().as_uri()}?mode=ro", uri=True)) as connection:
            names = "name IN ('users', 'bookings', 'mechanics', 'service_history', 'contact_messages')"
            return bool(connection.execute(f"SELECT 1 FROM pragma_table_list WHERE {names} AND NOT strict").fetchall())
    except (OSError, sqlite3.Error):
        return False  # the database's own errors are told where it is opened


def _host(host: str) -> str:
    """An address of this machine; only trying tells."""
    try:
        socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError:
        raise SettingError(f"HOST must be an address of this machine, not {host!r}") from None
    return host


def _secret(secret: str | None, env: str, db_path: str) -> str:
    if secret is None and env == "production":
        raise SettingError("JWT_SECRET must be set in production, to at least 32 bytes")
    if secret is None:
        try:
            secret = _development_secret(Path(f"{db_path}.secret"))
        except OSError:
            raise SettingError(f"DB_PATH must be in a folder that can be written to, not {db_path!r}") from None
    return _checked_secret("JWT_SECRET", secret, env)


def _previous_secret(secret: str | None, env: str) -> str | None:
    return secret and _checked_secret("JWT_SECRET_PREVIOUS", secret, env)


def _checked_secret(name: str, secret: str, env: str) -> str:
    try:
        if env == "production" and len(secret.encode()) < 32:
            raise SettingError(f"{name} must be of at least 32 bytes in production")
        jwt.encode({}, secret, "HS256")  # a text that looks like a PEM key fails at first use otherwise
    except (jwt.PyJWTError, ValueError):
        raise SettingError(f"{name} must be plain text, not a key file") from None
    return secret


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
    return path.read_text()


def _duration(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,9})([smhdw])", text)
    seconds = int(match[1]) * SECONDS[match[2]] if match else 0
    if not 1 <= seconds <= 10 * 365 * SECONDS["d"]:
        raise SettingError(f"JWT_EXPIRE must be a time like 7d, 12h, 30m or 90s, not {text!r}")
    return seconds


def _rate(text: str) -> limits.RateLimitItem:
    try:
        (rate,) = limits.parse_many(text)  # of several, parse() would take the first
        if 0 not in map(int, re.findall("[0-9]+", text)):  # limits reads "per 0 minutes" as "per minute"
            return rate
    except ValueError:
        pass
    raise SettingError(f"RATE_LIMIT must be like '100 per 15 minutes', not {text!r}")


def _storage(uri: str | None) -> str | None:
    if uri is not None:
        try:
            limits.storage.storage_from_string(uri)
        except Exception as error:  # each storage of the library complains in its own way
            raise SettingError(f"RATE_LIMIT_STORAGE cannot be used: {type(error).__name__}") from None
    return uri


def _origins(text: str | None, env: str) -> tuple[str, ...] | None:
    """Exact origins only: a pattern would match more than it seems to."""
    if text is None:
        return () if env == "production" else None
    origins = tuple(origin.strip() for origin in text.split(",") if origin.strip())
    for origin in origins:
        if origin != "null" and not re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?", origin):
            raise SettingError(f"CORS_ORIGINS must list origins like https://mechtech.com, not {origin!r}")
    return origins
