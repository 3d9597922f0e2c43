"""The settings, from the environment and, beneath it, from `.env` in the project's folder."""

import difflib
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, fields
from io import StringIO
from pathlib import Path

import click
import dotenv
import limits
from dotenv.parser import parse_stream

from mechtech import setting_checks as checks
from mechtech.cores import cores

PROJECT = Path(__file__).parent.parent  # its `.env` counts, and a relative DB_PATH begins there
SECRETS = ("JWT_SECRET", "JWT_SECRET_PREVIOUS", "METRICS_TOKEN")
PASSWORDS = ("(?<=password=)[^&]*", "(?s)(?<=://).*(?=@)")  # of a URL: in its query, and with its user


class SettingError(Exception):
    """A setting that is wrong; its text is one line that names it."""


def setting(default: str | Callable[[dict], str | None] | None, read: Callable[[str], object], must_be: str):
    """default: None where it may be empty, or a function of the settings above it. read: makes a value of a text."""
    return field(metadata={"default": default, "read": read, "must_be": must_be})


def whole(default: str | Callable[[dict], str], low: int, high: int):
    def read(text: str) -> int:
        number = int(re.fullmatch("[0-9]{1,9}", text)[0])
        if not low <= number <= high:
            raise ValueError
        return number

    return setting(default, read, f"a whole number from {low} to {high}")


def in_production(above: dict) -> bool:
    return above["mechtech_env"] == "production"


def secret_of_development(above: dict) -> str:
    """One made once, and kept beside the database."""
    if in_production(above):
        raise SettingError("JWT_SECRET must be set in production, to at least 32 bytes")
    file = Path(f"{above['db_path']}.secret")
    with suppress(OSError, ValueError):
        if text := checks.kept_secret(file):
            return text
    raise SettingError(f"JWT_SECRET must be set: {file} cannot be made or read, or is empty")


def no_sender(above: dict) -> None:
    if above["mail_url"]:
        raise SettingError("MAIL_FROM must be set with MAIL_URL")


def own_address(above: dict) -> str:
    if above["mail_url"] and in_production(above):
        raise SettingError("PUBLIC_URL must be set in production with MAIL_URL: links in mails begin with it")
    host = f"[{above['host']}]" if ":" in above["host"] else above["host"]
    return f"http://{host}:{above['port']}"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Each setting, in lower case: its type, its default, what reads it, and what it must be."""

    mechtech_env: str = setting("development", checks.matching("(development|production)"), "development or production")
    host: str = setting("127.0.0.1", checks.host, "an address of this machine")
    port: int = whole("3000", 1, 65535)
    db_path: str = setting("mechtech.db", lambda text: checks.file(PROJECT / text), "a file in a folder that exists")
    database_url: str | None = setting(
        None, checks.url(checks.DATABASE_URL), "like postgresql://user:password@host/name"
    )
    jwt_secret: str = setting(secret_of_development, checks.secret, "plain text, not a key file")
    jwt_secret_previous: str | None = setting(None, checks.secret, "plain text, not a key file")
    jwt_expire: int = setting("7d", checks.duration, "a time like 7d, 12h, 30m or 90s")  # in seconds
    rate_limit: limits.RateLimitItem = setting(  # noqa: RUF009
        lambda above: "1000 per hour" if in_production(above) else "100 per 15 minutes",
        checks.rate,
        "like 100 per 15 minutes",
    )
    rate_limit_storage: str | None = setting(None, checks.storage, "a URI that the limits library can use")
    cors_origins: tuple[str, ...] | None = setting(  # None: development's own
        lambda above: "" if in_production(above) else None, checks.origins, "a list of origins like https://a.example"
    )
    trusted_proxies: int = whole("0", 0, 20)
    mechanic_capacity: int = whole("5", 1, 1000)
    bcrypt_rounds: int = whole("10", 4, 20)
    web_concurrency: int = whole(lambda _: str(min(max(2, cores()), 64)), 1, 64)
    mail_url: str | None = setting(None, checks.url(checks.MAIL_URL), "like smtp://user:password@host:587")
    mail_from: str | None = setting(no_sender, checks.matching(checks.ADDRESS), "an e-mail address")
    owner_email: str | None = setting(None, checks.matching(checks.ADDRESS), "an e-mail address")
    public_url: str = setting(own_address, checks.url(checks.WEB_URL), "like https://mechtech.com")
    site_url: str = setting(lambda above: above["public_url"], checks.url(checks.WEB_URL), "like https://mechtech.com")
    metrics_token: str | None = setting(
        None, checks.matching(r"([^\n\ud800-\udfff]{16,})"), "of at least 16 characters"
    )
    log_format: str = setting("text", checks.matching("(text|json)"), "text or json")
    texts: dict[str, str]  # the settings that are not empty, for people

    @property
    def production(self) -> bool:
        return self.mechtech_env == "production"

    def shown(self) -> str:
        """The settings in one line, without secrets and without what is empty."""
        shown = {name: " ".join(text.split()) for name, text in self.texts.items() if name not in SECRETS}
        for password in PASSWORDS:
            shown = {name: re.sub(password, "…", text) for name, text in shown.items()}
        return " ".join(f"{name}={text}" for name, text in shown.items())


SETTINGS = {field.name.upper(): field.metadata for field in fields(Settings) if field.metadata}


def load() -> Settings:
    """The settings of this process; raises SettingError."""
    return from_environment({**read_dotenv(PROJECT / ".env"), **_environment()})


def read_dotenv(path: Path) -> dict[str, str]:
    """The settings of a .env file; {} where there is none. Raises SettingError for what is no setting in it."""
    if not os.path.lexists(path):
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise SettingError(f"{path.name} cannot be read: {error}") from None
    for line in parse_stream(StringIO(text)):  # dotenv_values would only log what it cannot read
        if line.error or (line.key and line.value is None):
            raise SettingError(f"{path.name} must have NAME=value or a comment in line {line.original.line}")
    found = dotenv.dotenv_values(stream=StringIO(text))
    for name in found.keys() - SETTINGS:
        nearest = difflib.get_close_matches(name.upper(), SETTINGS, 1, cutoff=0)[0]
        raise SettingError(f"{path.name} has the name {name}, which is no setting; the nearest one is {nearest}")
    return {name: value or "" for name, value in found.items()}


def _environment() -> dict[str, str]:
    """os.environ, without what the flask command has put there from a .env file of the folder where it runs."""
    by_flask = click.get_current_context(silent=True) is not None
    taken = dotenv.dotenv_values(dotenv.find_dotenv(usecwd=True)) if by_flask else {}
    return {name: value for name, value in os.environ.items() if taken.get(name) != value}


def from_environment(environ: dict[str, str]) -> Settings:
    """Settings from names and texts as the contract lists them; an empty text means the default."""
    values, texts = {}, {}
    for name, of in SETTINGS.items():
        text = environ.get(name, "").strip()
        if not text:
            text = of["default"](values) if callable(of["default"]) else of["default"]
        if "JWT_SECRET" in name and text and in_production(values) and len(text.encode(errors="replace")) < 32:
            raise SettingError(f"{name} must be of at least 32 bytes in production")
        try:
            value = values[name.lower()] = None if text is None else of["read"](text)
        except Exception:  # each library complains in its own way
            raise SettingError(f"{name} must be {of['must_be']}") from None  # the text may have a password
        if text:
            texts[name] = value if isinstance(value, str) else text
    return Settings(**values, texts=texts)
