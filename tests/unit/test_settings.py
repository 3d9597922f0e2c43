import os
import re
import stat
import sys
from pathlib import Path

import pytest

from mechtech.settings import SettingError, from_environment, load, read_dotenv
from tests.conftest import SECRET
from tests.forks import forks
from tests.gunicorn_server import ROOT

DEFAULTS = {
    "mechtech_env": "development",
    "production": False,
    "host": "127.0.0.1",
    "port": 3000,
    "db_path": "mechtech.db",
    "jwt_expire": 7 * 86400,
    "rate": (100, 15 * 60),
    "rate_limit_storage": None,
    "cors_origins": None,  # every port of localhost, and null
    "trusted_proxies": 0,
    "mechanic_capacity": 5,
    "bcrypt_rounds": 10,
    "log_format": "text",
    "web_concurrency": min(max(2, len(os.sched_getaffinity(0))), 64),
}
IN_PRODUCTION = {"mechtech_env": "production", "production": True, "rate": (1000, 3600), "cors_origins": ()}
NAMES = {
    *("MECHTECH_ENV", "HOST", "PORT", "DB_PATH", "JWT_SECRET", "JWT_EXPIRE", "RATE_LIMIT", "RATE_LIMIT_STORAGE"),
    *("CORS_ORIGINS", "TRUSTED_PROXIES", "MECHANIC_CAPACITY", "BCRYPT_ROUNDS", "WEB_CONCURRENCY"),
    *("JWT_SECRET_PREVIOUS", "LOG_FORMAT", "DATABASE_URL"),
    *("MAIL_URL", "MAIL_FROM", "OWNER_EMAIL", "PUBLIC_URL", "SITE_URL", "METRICS_TOKEN"),
}
PEM = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----"
NOT_UTF_8 = "\udcff" * 40  # as Python reads such bytes from the environment
WRONG = {
    "MECHTECH_ENV": ["prod", "Production", "test"],
    "HOST": ["999.1.1.1", "not a host", "192.0.2.1", "http://127.0.0.1"],
    "PORT": ["0", "65536", "-1", "3000.5", "many", "٣٠٠٠", "1e3", "0x50"],
    "DB_PATH": ["/no/such/folder/mechtech.db", "/"],
    "JWT_SECRET": [PEM, NOT_UTF_8],
    "JWT_EXPIRE": ["7", "d", "0d", "-7d", "1.5h", "forever", "9999999999d", "7y"],
    "RATE_LIMIT": ["100", "lots", "0 per hour", "-1 per hour", "100 per fortnight", "100 per 0 minutes"],
    "RATE_LIMIT_STORAGE": ["nonsense", "nosuch://host", "redis"],
    "CORS_ORIGINS": ["*", "https://*.mechtech.com", "mechtech.com", "https://mechtech.com/", "ftp://mechtech.com"],
    "TRUSTED_PROXIES": ["-1", "one", "1.5", "true", "127.0.0.1"],
    "MECHANIC_CAPACITY": ["0", "-1", "many", "5.5"],
    "BCRYPT_ROUNDS": ["3", "32", "ten"],
    "WEB_CONCURRENCY": ["0", "-1", "many"],
    "DATABASE_URL": ["mysql://host/name", "postgresql://host", "postgresql://host:port/name", "postgresql://[::1/name"],
    "MAIL_URL": ["mail.example", "http://mail.example", "smtp://", "smtp://host:0", "smtp://host:port", "smtp://[::1"],
    "MAIL_FROM": ["garage", "Garage <garage@mechtech.example>", "a@b.example\nBcc: c@d.example"],
    "OWNER_EMAIL": ["owner", "owner@", "two@a.example, more@b.example"],
    "PUBLIC_URL": ["mechtech.example", "ftp://mechtech.example", "https://", "https://mechtech.example/#top"],
    "SITE_URL": ["/site", "https://mechtech.example/?page=1"],
    "METRICS_TOKEN": ["secret", "fifteen letters", "\udcff" * 16],
}
WRONG["DATABASE_URL"] += ["postgresql://host:99999/name", "postgresql://user:a/b@host/name", "postgresql://a:b@c@d/e"]
WRONG["DATABASE_URL"] += ["postgresql://host:1,host:0/name", "postgresql://host,/name"]
WRONG["MAIL_URL"] += ["smtp://host:99999", "smtp://user:a/b@host:587", "smtp://user:a#b@host", "smtp://host?a=b"]
WRONG["PUBLIC_URL"] += ["https://:443", "https://mechtech.example:99999", "https://mechtech.example:"]
WRONG["RATE_LIMIT"] += ["100 per minute; 5 per second", "100 per minute, 5 per second"]
WRONG["CORS_ORIGINS"] += [
    "https://ok.example,nonsense",
    "https://a.example https://b.example",
    "https://a.example:port",
    "https://a.example:99999",
    "https://a.example:0",
]


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path, monkeypatch):
    """Defaults are relative to the project's folder, and the shell that runs the tests may have settings too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mechtech.settings.PROJECT", tmp_path)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def pairs(table):
    return [pytest.param(name, text, id=f"{name}-{ascii(text)[:30]}") for name in table for text in table[name]]


def shown(settings):
    found = {name: getattr(settings, name) for name in DEFAULTS if name != "rate"}
    found["db_path"] = os.path.relpath(found["db_path"])
    return {**found, "rate": (settings.rate_limit.amount, settings.rate_limit.get_expiry())}


# Values


def test_the_defaults_of_development():
    assert shown(from_environment({})) == DEFAULTS


@pytest.mark.parametrize(("cores", "workers"), [(1, 2), (2, 2), (3, 3), (64, 64), (65, 64), (256, 64)])
def test_there_is_a_worker_for_each_core_two_at_least_and_64_at_most(monkeypatch, cores, workers):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)))
    assert from_environment({}).web_concurrency == workers


def test_the_defaults_of_production():
    settings = from_environment({"MECHTECH_ENV": "production", "JWT_SECRET": SECRET})
    assert shown(settings) == {**DEFAULTS, **IN_PRODUCTION}
    assert settings.jwt_secret == SECRET


def test_an_empty_setting_is_the_default():
    assert shown(from_environment(dict.fromkeys(NAMES, ""))) == DEFAULTS
    assert shown(from_environment(dict.fromkeys(NAMES, "  "))) == DEFAULTS


@pytest.mark.parametrize(
    "name, text, attribute, value",
    [
        ("MECHTECH_ENV", "development", "mechtech_env", "development"),
        ("HOST", "0.0.0.0", "host", "0.0.0.0"),
        ("HOST", "localhost", "host", "localhost"),
        *(("PORT", text, "port", int(text)) for text in ("1", "8000", "65535")),
        ("DB_PATH", "other.db", "db_path", "other.db"),
        ("DB_PATH", "../other name.db", "db_path", "../other name.db"),
        ("JWT_EXPIRE", "1s", "jwt_expire", 1),
        ("JWT_EXPIRE", "15m", "jwt_expire", 900),
        ("JWT_EXPIRE", "24h", "jwt_expire", 86400),
        ("JWT_EXPIRE", "30d", "jwt_expire", 30 * 86400),
        ("RATE_LIMIT", "1 per day", "rate", (1, 86400)),
        ("RATE_LIMIT", "20/minute", "rate", (20, 60)),
        ("RATE_LIMIT_STORAGE", "redis://127.0.0.1:9/0", "rate_limit_storage", "redis://127.0.0.1:9/0"),
        ("CORS_ORIGINS", "https://mechtech.com", "cors_origins", ("https://mechtech.com",)),
        ("CORS_ORIGINS", "https://a.example, http://b.example:8080 ,", "cors_origins", None),
        ("CORS_ORIGINS", "null", "cors_origins", ("null",)),
        ("CORS_ORIGINS", "https://mechtech.example:443", "cors_origins", ("https://mechtech.example",)),
        ("CORS_ORIGINS", "http://mechtech.example:443", "cors_origins", ("http://mechtech.example:443",)),
        ("CORS_ORIGINS", "capacitor://localhost", "cors_origins", ("capacitor://localhost",)),
        *(("TRUSTED_PROXIES", text, "trusted_proxies", int(text)) for text in ("0", "1", "3")),
        *(("MECHANIC_CAPACITY", text, "mechanic_capacity", int(text)) for text in ("1", "50")),
        *(("BCRYPT_ROUNDS", text, "bcrypt_rounds", int(text)) for text in ("4", "14")),
        *(("WEB_CONCURRENCY", text, "web_concurrency", int(text)) for text in ("1", "16")),
    ],
)
def test_a_setting_is_read(name, text, attribute, value):
    if value is None:
        value = ("https://a.example", "http://b.example:8080")
    assert shown(from_environment({name: text})) == {**DEFAULTS, attribute: value}


@pytest.mark.parametrize("name, text", pairs(WRONG))
def test_a_wrong_setting_is_refused_by_name(name, text):
    with pytest.raises(SettingError, match=rf"\A{name} .*\Z"):  # no dot matches a line's end
        from_environment({name: text})


def test_a_storage_whose_library_is_not_installed_is_refused_in_one_line(monkeypatch):
    """pymongo is not; a MongoDBStorage that is only half made fails again when it is thrown away."""
    unraised = []
    monkeypatch.setattr(sys, "unraisablehook", unraised.append)
    with pytest.raises(SettingError, match=r"\ARATE_LIMIT_STORAGE .*\Z"):
        from_environment({"RATE_LIMIT_STORAGE": "mongodb://127.0.0.1/limits"})
    assert unraised == []


# What is shown


@pytest.mark.parametrize(
    "name, url, told",
    [
        ("DATABASE_URL", "postgresql://garage:{}@db.example/mechtech", "postgresql://…@db.example/mechtech"),
        ("DATABASE_URL", "postgresql://db.example/mechtech?password={}", "postgresql://db.example/mechtech?password=…"),
        ("DATABASE_URL", "postgresql://a:{}@b/a?sslpassword={}&a=b", "postgresql://…@b/a?sslpassword=…&a=b"),
        ("RATE_LIMIT_STORAGE", "redis://:{}@127.0.0.1:1/0", "redis://…@127.0.0.1:1/0"),
        ("RATE_LIMIT_STORAGE", "redis://127.0.0.1:1/0?password={}", "redis://127.0.0.1:1/0?password=…"),
        ("DATABASE_URL", "postgresql://b/a?password={}@1", "postgresql://b/a?password=…"),
        ("MAIL_URL", "smtp://user:1@{}@mail.example", "smtp://…@mail.example"),
        ("MAIL_URL", "smtps://user:{}@mail.example:465", "smtps://…@mail.example:465"),
        ("CORS_ORIGINS", "https://a.example,\nhttps://b.example", "https://a.example,"),
        ("JWT_SECRET", "{}" * 2, None),
        ("JWT_SECRET_PREVIOUS", "{}" * 2, None),
        ("METRICS_TOKEN", "{}", None),
    ],
)
def test_the_settings_are_shown_without_secrets(name, url, told):
    secret = "a-secret-of-at-least-16-characters"
    line = from_environment({"MAIL_FROM": "a@b.example", name: url.replace("{}", secret)}).shown()
    assert secret not in line
    assert "\n" not in line
    words = line.split()
    assert "BCRYPT_ROUNDS=10" in words  # a default is an effective setting too
    if told:
        assert f"{name}={told}" in words
    else:
        assert not [word for word in words if word.startswith(f"{name}=")]


# The start


def test_a_wrong_secret_is_not_told(tmp_path):
    for secret in ("too-short-a-secret", PEM, NOT_UTF_8):
        with pytest.raises(SettingError) as caught:
            from_environment({"MECHTECH_ENV": "production", "JWT_SECRET": secret})
        assert secret not in str(caught.value)
        assert "MFkw" not in str(caught.value)


# .env


def test_dotenv_is_read_and_the_environment_wins(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("PORT=8000\nMECHANIC_CAPACITY=7\n")
    monkeypatch.setenv("PORT", "9000")
    assert shown(load()) == {**DEFAULTS, "port": 9000, "mechanic_capacity": 7}
    monkeypatch.delenv("PORT")
    assert load().port == 8000
    (tmp_path / ".env").unlink()
    assert shown(load()) == DEFAULTS


def test_dotenv_is_written_as_people_write_it(tmp_path):
    file = tmp_path / ".env"
    file.write_text(
        "# a comment = of no meaning\n\n"
        "PORT=8000\n"
        "  HOST = 0.0.0.0  \n"
        'RATE_LIMIT="7 per hour"\n'
        "JWT_SECRET='a=b#c \"d\" '\n"
        "export BCRYPT_ROUNDS=4\n"
        "#WEB_CONCURRENCY=9\n"
    )
    assert read_dotenv(file) == {
        "PORT": "8000",
        "HOST": "0.0.0.0",
        "RATE_LIMIT": "7 per hour",
        "JWT_SECRET": 'a=b#c "d" ',
        "BCRYPT_ROUNDS": "4",
    }


def test_a_dotenv_that_was_written_on_windows_is_read_from_its_first_line(tmp_path):
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfMECHTECH_ENV=production\r\nJWT_SECRET=" + SECRET.encode() + b"\r\n")
    settings = load()
    assert (settings.mechtech_env, settings.jwt_secret) == ("production", SECRET)


def test_a_dotenv_that_is_wrong_is_named(tmp_path):
    (tmp_path / ".env").write_bytes("# für später\n".encode("latin-1"))
    with pytest.raises(SettingError, match=r"\A\.env .*\Z"):
        load()
    (tmp_path / ".env").write_text("WEB_CONCURRENCY=many")
    with pytest.raises(SettingError, match=r"\AWEB_CONCURRENCY .*\Z"):
        load()


def test_a_comment_and_lines_of_a_quoted_value_are_read_as_dotenv_means_them(tmp_path):
    (tmp_path / ".env").write_text(f"JWT_SECRET={SECRET} # made 2024\nexport\tPORT=8000\n")
    assert (load().jwt_secret, load().port) == (SECRET, 8000)
    (tmp_path / ".env").write_text(f'JWT_SECRET="{PEM}"\n')
    with pytest.raises(SettingError, match=r"\AJWT_SECRET .*\Z"):
        load()


@pytest.mark.parametrize(("name", "nearest"), [("TRUSTED_PROXY", "TRUSTED_PROXIES"), ("port", "PORT")])
def test_an_unknown_name_in_dotenv_stops_the_start_with_the_nearest_one(tmp_path, name, nearest):
    (tmp_path / ".env").write_text(f"{name}=1\n")
    with pytest.raises(SettingError, match=rf"\A\.env .*{name}.* {nearest}\Z"):
        load()


@pytest.mark.parametrize(
    "line", ["TRUSTED_PROXIES 1", "TRUSTED_PROXIES: 1", "TRUSTED_PROXIES", "=1", 'HOST="::1" x', "HOST='::1"]
)
def test_a_line_of_dotenv_that_cannot_be_read_stops_the_start_with_its_number(tmp_path, line):
    (tmp_path / ".env").write_text(f"# a comment\n\nPORT=8000\n{line}\nMECHANIC_CAPACITY=7\n")
    with pytest.raises(SettingError, match=r"\A\.env .* line 4\Z"):
        load()


def test_a_link_to_a_dotenv_that_is_gone_stops_the_start(tmp_path):
    (tmp_path / "shared").write_text("PORT=8000\n")
    (tmp_path / ".env").symlink_to("shared")
    assert load().port == 8000
    (tmp_path / "shared").unlink()
    with pytest.raises(SettingError, match=r"\A\.env cannot be read.*\Z"):
        load()


def test_a_relative_db_path_begins_in_the_projects_folder(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert from_environment({"DB_PATH": "garage.db"}).db_path == str(tmp_path / "garage.db")


def test_an_empty_file_of_the_secret_is_named(tmp_path):
    (tmp_path / "mechtech.db.secret").touch()
    with pytest.raises(SettingError, match=r"\AJWT_SECRET .*mechtech\.db\.secret.*empty\Z"):
        from_environment({})


def test_the_example_of_a_dotenv_lists_every_setting_with_its_default(tmp_path):
    lines = [line.removeprefix("#") for line in (ROOT / ".env.example").read_text().splitlines()]
    settings = [line for line in lines if re.match(r"[A-Z_]+=", line)]
    assert {line.split("=")[0] for line in settings} == NAMES
    (tmp_path / ".env").write_text("\n".join(settings))
    assert shown(load()) == DEFAULTS


# The secret


def test_production_needs_a_secret_of_32_bytes():
    for secret in ("s" * 32, "é" * 16, "s" * 500):
        assert from_environment({"MECHTECH_ENV": "production", "JWT_SECRET": secret}).jwt_secret == secret
    for secret in ("", "   ", "s" * 31, "é" * 15 + "s"):
        with pytest.raises(SettingError, match="JWT_SECRET"):
            from_environment({"MECHTECH_ENV": "production", "JWT_SECRET": secret})
    with pytest.raises(SettingError, match="JWT_SECRET_PREVIOUS"):
        from_environment({"MECHTECH_ENV": "production", "JWT_SECRET": "s" * 32, "JWT_SECRET_PREVIOUS": "s" * 31})


def test_production_does_not_take_the_secret_of_development(tmp_path):
    from_environment({})
    with pytest.raises(SettingError, match="JWT_SECRET"):
        from_environment({"MECHTECH_ENV": "production"})


@pytest.mark.filterwarnings("ignore:The HMAC key")
def test_development_takes_a_short_secret():
    assert from_environment({"JWT_SECRET": "short"}).jwt_secret == "short"


def test_the_secret_of_development_is_made_once_and_kept(tmp_path):
    (tmp_path / "other").mkdir()
    secret = from_environment({}).jwt_secret
    assert len(secret) >= 32
    assert from_environment({}).jwt_secret == secret
    assert from_environment({"DB_PATH": "other/mechtech.db"}).jwt_secret != secret
    (file,) = [file for file in Path().iterdir() if file.is_file() and secret in file.read_text()]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_processes_that_start_at_once_make_one_secret(tmp_path):
    rounds, count = 20, 6
    barrier, made = forks().Barrier(count), forks().Queue()
    processes = [forks().Process(target=_make_secrets, args=(tmp_path, rounds, barrier, made)) for _ in range(count)]
    for process in processes:
        process.start()
    for secrets in zip(*(made.get(timeout=60) for _ in processes)):
        assert len(set(secrets)) == 1
        assert len(secrets[0]) >= 32
    for process in processes:
        process.join(60)
    assert len(list(tmp_path.iterdir())) == rounds  # nothing left behind


def _make_secrets(folder, rounds, barrier, made):
    secrets = []
    for number in range(rounds):
        barrier.wait(60)
        secrets.append(from_environment({"DB_PATH": f"{folder}/{number}.db"}).jwt_secret)
    made.put(secrets)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:hunter2@127.0.0.1/mechtech",
        "postgresql://user:hunter2@127.0.0.2:5433,127.0.0.1/mechtech?target_session_attrs=read-write",
        "postgresql://127.0.0.1/mechtech?user=someone&password=hunter2&sslpassword=hunter2&sslmode=require",
    ],
)
def test_a_url_is_shown_without_its_passwords(url):
    shown = from_environment({"JWT_SECRET": SECRET, "DATABASE_URL": url}).shown()
    assert "127.0.0.1/mechtech" in shown
    assert "hunter2" not in shown
    assert ("sslmode=require" in shown) == ("sslmode=require" in url)
