"""The settings, from the environment and, beneath it, from `.env` in the project's folder."""

import difflib
import os
from dataclasses import dataclass, fields
from io import StringIO
from pathlib import Path

import click
import dotenv
import limits
from dotenv.parser import parse_stream

from mechtech import setting_checks as checks
from mechtech.cores import cores
from mechtech.setting_checks import SettingError

PROJECT = Path(__file__).parent.parent  # its `.env` counts, and a relative DB_PATH begins there


@dataclass(frozen=True, kw_only=True)
class Settings:
    mechtech_env: str
    host: str
    port: int
    db_path: str
    database_url: str | None
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
    mail_url: str | None
    mail_from: str | None
    owner_email: str | None
    public_url: str
    site_url: str
    metrics_token: str | None
    log_format: str

    @property
    def production(self) -> bool:
        return self.mechtech_env == "production"

    def shown(self) -> str:
        """The settings in one line, without secrets and without what is not set."""
        values = {
            **{field.name: getattr(self, field.name) for field in fields(self)},
            "jwt_expire": f"{self.jwt_expire}s",
            "cors_origins": ",".join(self.cors_origins or ()),
            **dict.fromkeys(("jwt_secret", "jwt_secret_previous", "metrics_token"), None),
            "mail_url": checks.without_password(self.mail_url),
            "database_url": checks.without_password(self.database_url),
            "rate_limit_storage": checks.without_password(self.rate_limit_storage),
        }
        return " ".join(f"{name.upper()}={value}" for name, value in values.items() if value not in (None, ""))


NAMES = {field.name.upper() for field in fields(Settings)}


def load() -> Settings:
    """The settings of this process; raises SettingError."""
    return from_environment({**read_dotenv(PROJECT / ".env"), **_environment()})


def read_dotenv(path: Path) -> dict[str, str]:
    """The settings of a .env file; {} where there is none. Raises SettingError for what is no setting in it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if path.is_symlink():
            raise SettingError(f"{path.name} cannot be read: it leads to a file that is not there") from None
        return {}
    except OSError as error:
        raise SettingError(f"{path.name} cannot be read: {error.strerror}") from None
    except ValueError:
        raise SettingError(f"{path.name} must be text in UTF-8") from None
    for line in parse_stream(StringIO(text)):  # dotenv_values would only log what it cannot read
        if line.error or (line.key and line.value is None):
            raise SettingError(f"{path.name} must have NAME=value or a comment in line {line.original.line}")
    found = dotenv.dotenv_values(stream=StringIO(text))
    for name in found.keys() - NAMES:
        nearest = difflib.get_close_matches(name.upper(), NAMES, 1, cutoff=0)[0]
        raise SettingError(f"{path.name} has the name {name}, which is no setting; the nearest one is {nearest}")
    return {name: value or "" for name, value in found.items()}


def _environment() -> dict[str, str]:
    """os.environ, without what the flask command has put there from a .env file of another folder."""
    stray = Path(dotenv.find_dotenv(usecwd=True) or PROJECT / ".env")
    if click.get_current_context(silent=True) is None or stray.resolve() == (PROJECT / ".env").resolve():
        return dict(os.environ)
    taken = dotenv.dotenv_values(stray)
    return {name: value for name, value in os.environ.items() if taken.get(name) != value}


def from_environment(environ: dict[str, str]) -> Settings:
    """Settings from names and texts as the contract lists them; an empty text means the default."""

    def get(name: str, default: str | None = None) -> str | None:
        return environ.get(name, "").strip() or default

    def whole(name: str, default: int, low: int, high: int) -> int:
        return checks.whole(name, get(name, str(default)), low, high)

    env = checks.choice("MECHTECH_ENV", get("MECHTECH_ENV", "development"), ("development", "production"))
    production = env == "production"
    host, port = checks.host(get("HOST", "127.0.0.1")), whole("PORT", 3000, 1, 65535)
    database_url = checks.database_url(get("DATABASE_URL"))
    db_path = checks.db_path(PROJECT / get("DB_PATH", "mechtech.db"))
    mail_url = checks.mail_url(get("MAIL_URL"))
    if production and mail_url and not get("PUBLIC_URL"):
        raise SettingError("PUBLIC_URL must be set in production with MAIL_URL: links in mails begin with it")
    shown_host = f"[{host}]" if ":" in host else host
    public_url = checks.url("PUBLIC_URL", get("PUBLIC_URL", f"http://{shown_host}:{port}"))
    return Settings(
        mechtech_env=env,
        host=host,
        port=port,
        db_path=db_path,
        database_url=database_url,
        jwt_secret=checks.secret(get("JWT_SECRET"), production, Path(f"{db_path}.secret")),
        jwt_secret_previous=checks.previous_secret(get("JWT_SECRET_PREVIOUS"), production),
        jwt_expire=checks.duration("JWT_EXPIRE", get("JWT_EXPIRE", "7d")),
        rate_limit=checks.rate(get("RATE_LIMIT", "1000 per hour" if production else "100 per 15 minutes")),
        rate_limit_storage=checks.storage(get("RATE_LIMIT_STORAGE")),
        cors_origins=checks.origins(get("CORS_ORIGINS"), production),
        trusted_proxies=whole("TRUSTED_PROXIES", 0, 0, 20),
        mechanic_capacity=whole("MECHANIC_CAPACITY", 5, 1, 1000),
        bcrypt_rounds=whole("BCRYPT_ROUNDS", 10, 4, 20),
        web_concurrency=whole("WEB_CONCURRENCY", min(max(2, cores()), 64), 1, 64),
        mail_url=mail_url,
        mail_from=checks.address("MAIL_FROM", get("MAIL_FROM"), needed=mail_url is not None),
        owner_email=checks.address("OWNER_EMAIL", get("OWNER_EMAIL"), needed=False),
        public_url=public_url,
        site_url=checks.url("SITE_URL", get("SITE_URL", public_url)),
        metrics_token=checks.metrics_token(get("METRICS_TOKEN")),
        log_format=checks.choice("LOG_FORMAT", get("LOG_FORMAT", "text"), ("text", "json")),
    )
