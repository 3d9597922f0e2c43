"""The settings that a server starts with, and the lines by which it refuses wrong ones."""

import os
import subprocess
import sys

import pytest

from mechtech import create_app
from mechtech.settings import from_environment
from tests.conftest import CONTACT, SECRET, Api, signup
from tests.gunicorn_server import ROOT, Server
from tests.tools import wait_until
from tests.unit.test_settings import WRONG


@pytest.mark.parametrize("env, limit", [("development", "100"), ("production", "1000")])
def test_the_limit_of_requests_is_the_environments(env, limit):
    app = create_app(from_environment({"MECHTECH_ENV": env, "JWT_SECRET": SECRET, "BCRYPT_ROUNDS": "4"}))
    assert app.test_client().get("/api/mechanics/").headers["X-RateLimit-Limit"] == limit


@pytest.mark.parametrize("name", ["MECHTECH_ENV", "PORT", "DB_PATH", "JWT_SECRET", "CORS_ORIGINS", "MAIL_URL"])
def test_a_wrong_setting_stops_gunicorn_with_one_line_that_names_it(environ, tmp_path, name):
    assert name in line_of_a_refused_start({**environ, name: WRONG[name][0]}, tmp_path)


@pytest.mark.parametrize("secret", ["", "s" * 31], ids=len)
def test_gunicorn_does_not_start_in_production_without_a_secret_of_32_bytes(environ, tmp_path, secret):
    environ = {**environ, "MECHTECH_ENV": "production", "JWT_SECRET": secret}
    assert "JWT_SECRET" in line_of_a_refused_start(environ, tmp_path)


def line_of_a_refused_start(environ, tmp_path):
    server = Server(environ, tmp_path / "log")
    server.environ.update(environ)  # it has a HOST and a PORT of its own
    try:
        server.start(wait=False)
        assert server.process.wait(60) != 0
    finally:
        server.kill()
    (line,) = server.log.read_text().splitlines()
    return line


def test_gunicorn_itself_refuses_a_number_of_workers_that_is_none(environ):
    """It reads WEB_CONCURRENCY when it is imported, before anything of ours, and its traceback names it. From .env,
    which gunicorn does not read, the answer is ours."""
    gunicorn = [sys.executable, "-m", "gunicorn", "wsgi:app"]
    environ = {**environ, "PATH": os.environ["PATH"], "WEB_CONCURRENCY": "many"}
    result = subprocess.run(gunicorn, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
    assert result.returncode != 0
    assert "WEB_CONCURRENCY" in result.stderr


def test_a_dotenv_of_another_folder_is_not_taken(tmp_path, monkeypatch):
    """The flask command puts it into the environment."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / ".env").write_text("MECHANIC_CAPACITY=9\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    result = subprocess.run(
        [sys.executable, "-m", "flask", "--app", str(ROOT / "wsgi.py"), "shell"],
        input="print('capacity', app.config['settings'].mechanic_capacity)",
        env={"PATH": os.environ["PATH"], "DB_PATH": str(tmp_path / "test.db"), "JWT_SECRET": SECRET},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "capacity 5" in result.stdout, result.stderr


def test_gunicorn_reads_dotenv_beneath_its_environment(tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    for name in ("gunicorn.conf.py", "wsgi.py", "mechtech", "schema.sql"):
        (project / name).symlink_to(ROOT / name)
    dotenv = 'PORT=1\nDB_PATH=of-dotenv.db\nRATE_LIMIT="7 per hour"\nWEB_CONCURRENCY=3\nBCRYPT_ROUNDS=12\n'
    (project / ".env").write_text(dotenv)
    with Server({"BCRYPT_ROUNDS": "4"}, tmp_path / "log", root=project) as server:  # and a PORT of its own
        wait_until(lambda: len(server.workers()) == 3)
        assert server.call("GET", "/api/mechanics/").headers["X-RateLimit-Limit"] == "7"
        body = {"name": "Ann", "email": "ann@example.com", "password": "password123"}
        assert server.call("POST", "/api/auth/signup", body).status == 201
    assert (project / "of-dotenv.db").is_file()
    assert b"$2b$04$" in (project / "of-dotenv.db").read_bytes() + (project / "of-dotenv.db-wal").read_bytes()


def test_gunicorn_may_load_the_app_before_it_forks(environ, tmp_path):
    with Server(environ, tmp_path / "log", "--preload") as server:
        assert server.call("GET", "/openapi.json").status == 200
        assert server.call("POST", "/api/contact", CONTACT).status == 201


def test_tokens_of_development_are_good_after_a_restart(environ, tmp_path):
    """In every worker too: one signs, another reads."""
    del environ["JWT_SECRET"]
    token = signup(Api(create_app(from_environment(environ)).test_client()))
    with Server({**environ, "WEB_CONCURRENCY": "2"}, tmp_path / "log") as server:
        assert {server.call("GET", "/api/auth/profile", token=token).status for _ in range(8)} == {200}
