"""DATABASE_URL: one that cannot be right ends the start with one line that does not show the password."""

import pytest

from mechtech.database import migrate
from mechtech.database.migrate import WrongDatabase
from mechtech.database.postgresql import Database, translated
from mechtech.settings import SettingError
from tests.conftest import started
from tests.postgresql_server import execute


@pytest.mark.parametrize(
    "url",
    [
        "nonsense:hunter2",
        "mysql://root:hunter2@127.0.0.1/mechtech",
        "postgresql://user:hunter2@127.0.0.1:port/mechtech",
        "postgresql://",
        "postgresql://user:hunter2@no-such-host.invalid/mechtech",
    ],
)
def test_a_url_that_cannot_be_right_is_refused_without_its_password(environ, url):
    with pytest.raises((SettingError, WrongDatabase), match=r"\A.*DATABASE_URL.*\Z") as refused:
        started({**environ, "DATABASE_URL": url})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("old, new", [("mechtech@", "no-such-role:hunter2@"), ("/mechtech_test", "/no_such_database")])
def test_a_role_or_a_database_that_is_not_there_is_refused(environ, old, new):
    with pytest.raises(WrongDatabase, match=r"\A.*DATABASE_URL.*\Z") as refused:
        started({**environ, "DATABASE_URL": environ["DATABASE_URL"].replace(old, new)})
    assert "hunter2" not in str(refused.value)


def test_a_database_of_something_else_is_refused_and_stays_as_it_is(environ):
    execute(environ["DATABASE_URL"], "CREATE TABLE users (id integer)")
    with pytest.raises(WrongDatabase, match="something else"):
        started(environ)
    tables = execute(environ["DATABASE_URL"], "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert tables == [("users",)]


def test_a_newer_database_is_refused(environ):
    started(environ)
    execute(environ["DATABASE_URL"], "INSERT INTO schema_migrations (version) VALUES (999)")
    with pytest.raises(WrongDatabase, match="999"):
        started(environ)


def test_a_database_that_is_up_to_date_is_left_alone(environ):
    database = Database(environ["DATABASE_URL"], migrate.scripts("postgresql"))
    assert database.version() == 0
    database.make()
    database.make()
    assert database.version() == database.latest


def test_parameters_are_named_in_psycopgs_way_but_not_in_strings_names_comments_and_casts():
    sql = "SELECT ':a', \":b\", :c::text, x % 2, 'per%' -- :d\nFROM t WHERE e = :e_1"
    assert translated(sql) == "SELECT ':a', \":b\", %(c)s::text, x %% 2, 'per%%' -- :d\nFROM t WHERE e = %(e_1)s"
