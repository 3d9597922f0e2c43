"""The tables on PostgreSQL are those of SQLite, and a database that exists is brought up to date once, or refused."""

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing

import psycopg
import pytest

from mechtech.database import migrate
from mechtech.database.postgresql import Database
from mechtech.database.sqlite import Transaction
from tests.answers import sql
from tests.conftest import SECRET, started
from tests.gunicorn_server import ROOT
from tests.postgresql_server import execute

SCRIPTS = migrate.scripts("postgresql")
TYPES = {"bigint": "INTEGER", "integer": "INTEGER", "text": "TEXT", "double precision": "REAL", "bytea": "BLOB"}
COLUMNS = """
    SELECT table_name, column_name, data_type, is_nullable
    FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name <> 'schema_migrations'
    ORDER BY table_name, ordinal_position"""
INDEXES = """
    SELECT tablename, indexname, indexdef LIKE '%UNIQUE%', indexdef LIKE '%WHERE%'
    FROM pg_indexes
    WHERE schemaname = 'public' AND tablename <> 'schema_migrations'"""
CHECKS = "SELECT conrelid::regclass::text FROM pg_constraint WHERE contype = 'c' AND conrelid::regclass::text = ANY (?)"
REFERENCES = "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'"
KEYS = """
    SELECT conrelid::regclass::text, array_agg(attname::text ORDER BY place)
    FROM pg_constraint, unnest(conkey) WITH ORDINALITY AS part (number, place), pg_attribute
    WHERE contype = 'p' AND connamespace = 'public'::regnamespace AND attrelid = conrelid AND attnum = number
    GROUP BY conrelid"""


@pytest.fixture
def schema():
    """A SQLite database with the tables of schema.sql."""
    with closing(sqlite3.connect(":memory:")) as connection:
        Transaction(connection).script((ROOT / "schema.sql").read_text(encoding="utf-8"))
        yield connection


def tables(schema) -> list[str]:
    found = schema.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    return sorted(name for (name,) in found)


def test_the_columns_are_those_of_the_schema_in_its_order(app, environ, schema):
    made = [
        (table, column, TYPES[kind], nullable == "YES")
        for table, column, kind, nullable in execute(environ["DATABASE_URL"], COLUMNS)
    ]
    assert made == [
        (table, column, kind, not (required or key))
        for table in tables(schema)
        for _, column, kind, required, _, key in schema.execute(f"PRAGMA table_info({table})").fetchall()
    ]


def test_the_keys_references_and_checks_are_those_of_the_schema(app, environ, schema):
    url = environ["DATABASE_URL"]
    keys, references, checks = {}, [], []
    for table in tables(schema):
        columns = schema.execute(f"PRAGMA table_info({table})").fetchall()
        keys[table] = [column[1] for column in sorted(columns, key=lambda column: column[5]) if column[5]]
        references += [(table, row[2]) for row in schema.execute(f"PRAGMA foreign_key_list({table})").fetchall()]
        (script,) = schema.execute("SELECT sql FROM sqlite_schema WHERE name = ?", [table]).fetchone()
        checks += [(table,)] * len(re.findall(r"CHECK \(", script))
    assert {table: key for table, key in execute(url, KEYS) if table != "schema_migrations"} == keys
    assert sorted(execute(url, REFERENCES)) == sorted(references)
    assert sorted(execute(url, CHECKS, [list(keys)])) == sorted(checks)


def test_every_index_of_the_schema_is_there(app, environ, schema):
    made = {tuple(row) for row in execute(environ["DATABASE_URL"], INDEXES)}
    wanted = {
        (table, name, bool(unique), bool(partial))
        for table in tables(schema)
        for _, name, unique, origin, partial in schema.execute(f"PRAGMA index_list({table})").fetchall()
        if origin == "c"
    }
    assert wanted <= made
    others = {name for _, name, *_ in made - wanted}
    assert {name for name in others if not name.endswith("_pkey")} == {"service_history_booking_id_key"}


def test_migrations_run_once_also_when_several_machines_start_together(environ):
    command = [sys.executable, "-c", "import wsgi"]
    processes = [subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environ}) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    versions = sql(environ["DB_PATH"], "SELECT version FROM schema_migrations ORDER BY version")
    assert versions == [(number,) for number in range(1, len(SCRIPTS) + 1)]


def test_a_database_of_an_older_version_loses_nothing(environ):
    Database(environ["DATABASE_URL"], SCRIPTS[:1]).make()
    sql(environ["DB_PATH"], "INSERT INTO users (email, password, name) VALUES ('old@example.com', 'x', 'Old')")
    started(environ)
    assert sql(environ["DB_PATH"], "SELECT name FROM users") == [("Old",)]
    assert sql(environ["DB_PATH"], "SELECT MAX(version) FROM schema_migrations") == [(len(SCRIPTS),)]


def test_migrations_that_fail_change_nothing(environ):
    Database(environ["DATABASE_URL"], SCRIPTS[:1]).make()
    broken = [*SCRIPTS, "CREATE TABLE another (id integer); INSERT INTO nowhere VALUES (1);"]
    with pytest.raises(psycopg.errors.UndefinedTable):
        Database(environ["DATABASE_URL"], broken).make()
    assert sql(environ["DB_PATH"], "SELECT version FROM schema_migrations") == [(1,)]
    assert sql(environ["DB_PATH"], "SELECT to_regclass('another')") == [(None,)]


def run(environ, *command) -> subprocess.CompletedProcess:
    environ = {"PATH": os.environ["PATH"], "JWT_SECRET": SECRET, **environ}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)


FLASK = (sys.executable, "-m", "flask", "--app", "wsgi")


def test_migrate_check_tells_whether_a_migration_is_due(environ):
    Database(environ["DATABASE_URL"], SCRIPTS[:1]).make()
    result = run(environ, *FLASK, "migrate", "--check")
    assert (result.returncode, "version 1" in result.stdout) == (1, True)
    assert sql(environ["DB_PATH"], "SELECT version FROM schema_migrations") == [(1,)]
    assert run(environ, *FLASK, "migrate").returncode == 0
    assert run(environ, *FLASK, "migrate", "--check").returncode == 0


def test_a_newer_database_is_refused_in_one_line_by_the_check_of_the_unit_and_by_commands(app, environ):
    sql(environ["DB_PATH"], "INSERT INTO schema_migrations (version) VALUES (999)")
    check = (sys.executable, "-m", "gunicorn", "--check-config", "wsgi:app")
    for command in (check, (*FLASK, "migrate"), (*FLASK, "accounts")):
        result = run(environ, *command)
        output = result.stdout + result.stderr
        assert result.returncode != 0
        assert "version 999" in output
        assert len(output.splitlines()) == 1, output


def test_commands_say_in_one_line_what_is_wrong_with_the_url_and_never_its_password(environ):
    url = environ["DATABASE_URL"]
    wrong = {
        "role": url.replace("mechtech@", "no-such-role:hunter2@"),
        "host": "postgresql://user:hunter2@no-such-host.invalid/mechtech",
        "option": "postgresql://user:hunter2@127.0.0.1/mechtech?no-such-option=1",
        "value": "postgresql://user:hunter2@127.0.0.1/mechtech?sslmode=hunter",
        "away": "postgresql://user:hunter2@127.0.0.1:1/mechtech",
    }
    for name, url in wrong.items():
        for command in ("migrate", "accounts"):
            result = run({**environ, "DATABASE_URL": url}, *FLASK, command)
            lines = (result.stdout + result.stderr).splitlines()
            assert result.returncode != 0
            assert len(lines) == 1, (name, command, lines)
            assert "DATABASE_URL" in lines[0] or name == "away", lines
            assert "hunter2" not in lines[0]
