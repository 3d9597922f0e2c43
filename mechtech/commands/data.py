"""The commands for the database: its tables, sample data, what is brought over from elsewhere, and backups."""

import sys
import time
from contextlib import suppress
from pathlib import Path

import click
from flask import current_app

from mechtech.database import Transaction, get_db
from mechtech.database.backup import back_up
from mechtech.database.backup import restore as run_restore
from mechtech.database.migrate import WrongDatabase, check_not_newer
from mechtech.database.original import import_original as run_import

SEED = Path(__file__).parents[2] / "seed.sql"


def init_db():
    """Make the tables of a new database, or bring one that exists up to date."""
    get_db().make()
    click.echo(f"The tables are there: {get_db().name}")


@click.option("--check", is_flag=True, help="Change nothing; exit with 1 if a migration is due.")
def migrate(check):
    """Run the migrations that are due. The start of the service does so too."""
    database = get_db()
    found = database.version()
    if check:
        check_not_newer(found, database.latest)
        click.echo(f"The database is of version {found}, the newest is {database.latest}.")
        sys.exit(found < database.latest)
    database.make()
    click.echo(f"The database is of version {database.latest}.")


@click.option("--if-new", is_flag=True, help="Only into a database without users and bookings.")
def seed(if_new):
    """Add the sample data; a second time adds nothing."""
    if current_app.config["settings"].production:
        raise click.ClickException("Sample data has no place in production.")
    added = add_sample_data(only_if_new=if_new)
    click.echo("The sample data is added." if added else "Nothing added: the data is there already.")


def add_sample_data(only_if_new: bool) -> bool:
    """Whether it was added: all of it, or none if it is there. only_if_new: none beside other data either."""

    def add_all(tx: Transaction) -> bool:
        there = tx.one("SELECT 1 FROM users WHERE email = 'john@mechtech.example'")
        used = tx.one("SELECT 1 FROM users UNION ALL SELECT 1 FROM bookings LIMIT 1")
        if there or (only_if_new and used):
            return False
        tx.script(SEED.read_text(encoding="utf-8"))
        return True

    return get_db().transaction(add_all)


@click.argument("file")
def import_original(file):
    """Copy the database of the original service, a file that stays as it is, into a new one."""
    path = _path("The import makes a SQLite database: run it with DATABASE_URL empty.")
    get_db().make()
    report = run_import(
        path,
        file,
        progress=lambda table, done, total: click.echo(f"{table}: {done:,} of {total:,} rows", err=True),
    )
    click.echo("\n".join(report))


@click.argument("url")
def copy_to(url):
    """Copy the SQLite database into an empty PostgreSQL one, postgresql://…; the file stays as it is."""
    from mechtech.database.copy import run_copy  # its packages need not be installed for SQLite

    path = _path("DATABASE_URL is set: it must be empty, so that DB_PATH is what is copied.")
    get_db().make()
    try:
        report = run_copy(path, url, progress=lambda table, rows: click.echo(f"{table}: {rows:,} rows", err=True))
    except WrongDatabase as error:
        raise click.ClickException(str(error).replace("Wrong setting: DATABASE_URL", "The URL")) from None
    click.echo(f"{'Table':<20} {'Rows':>9}  Checksum, the same on both sides")
    for table, (rows, checksum) in report.items():
        click.echo(f"{table:<20} {rows:>9}  {checksum}")


@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--keep", type=click.IntRange(1), metavar="N", help="Remove all but the newest N backups of FILE's pattern."
)
def backup(file, keep):
    """Copy the SQLite database into a new FILE, while the service runs.

    FILE may have the time (UTC) in its name, as mechtech-%Y-%m-%d.db: see strftime(3).
    """
    dated = file.parent / time.strftime(file.name, time.gmtime())
    if keep and (dated == file or not _is_made_by(file.name, dated.name)):
        raise click.UsageError(
            "--keep needs a time in the name of FILE that can be read back, as mechtech-%Y-%m-%d.db."
        )
    content = back_up(_path(), dated)
    click.echo(f"{dated} holds {content}.")
    others = [other for other in _of_pattern(file) if other != dated]  # of a clock that was ahead, some may be newer
    for older in others[keep - 1 :] if keep else ():
        older.unlink()
        click.echo(f"{older} is removed.")


@click.argument("file", type=click.Path(path_type=Path))
def restore(file):
    """Put the backup FILE in the place of the SQLite database, which is kept aside. The service must be stopped."""
    path = _path()
    content, old = run_restore(path, file, get_db().latest)
    click.echo(f"{path} holds {content} now.")
    click.echo(f"The database before it is {old} now." if old else "There was no database before it.")


def _path(refusal: str = "PostgreSQL is backed up by pg_dump and restored by pg_restore: see docs/deploy.md.") -> str:
    """The SQLite file; where DATABASE_URL is set, the refusal ends the command."""
    if current_app.config["settings"].database_url:
        raise click.ClickException(refusal)
    return get_db().path


def _of_pattern(pattern: Path) -> list[Path]:
    """The files whose names the pattern can make, the newest first."""
    files = filter(Path.is_file, pattern.parent.iterdir())
    found = [file for file in files if _is_made_by(pattern.name, file.name)]
    return sorted(found, key=lambda file: file.stat().st_mtime_ns, reverse=True)


def _is_made_by(pattern: str, name: str) -> bool:
    with suppress(ValueError):  # also for codes that strftime knows, and strptime does not
        return bool(time.strptime(name, pattern))
    return False
