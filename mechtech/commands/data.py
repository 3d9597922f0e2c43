"""The commands for the database: its tables, sample data, and what is brought over from elsewhere."""

import sys
from pathlib import Path

import click
from flask import current_app

from mechtech.database import get_db, sample
from mechtech.database.migrate import WrongDatabase, check_not_newer
from mechtech.database.original import ImportRefused, Report
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
    added = sample.add(SEED.read_text(encoding="utf-8"), only_if_new=if_new)
    click.echo("The sample data is added." if added else "Nothing added: the data is there already.")


@click.argument("file")
def import_original(file):
    """Copy the database of the original service, a file that stays as it is, into a new one."""
    if current_app.config["settings"].database_url:
        raise click.ClickException("The import makes a SQLite database: run it with DATABASE_URL empty.")
    get_db().make()
    try:
        report = run_import(get_db().path, file, progress=_show_progress)
    except ImportRefused as error:
        raise click.ClickException(str(error)) from None
    _show_import(report)


@click.argument("url")
def copy_to(url):
    """Copy the SQLite database into an empty PostgreSQL one, postgresql://…; the file stays as it is."""
    from mechtech.database.copy import CopyRefused, run_copy  # its packages need not be installed for SQLite

    if current_app.config["settings"].database_url:
        raise click.ClickException("DATABASE_URL is set: it must be empty, so that DB_PATH is what is copied.")
    get_db().make()
    try:
        report = run_copy(
            get_db().path, url, progress=lambda table, rows: click.echo(f"{table}: {rows:,} rows", err=True)
        )
    except (CopyRefused, WrongDatabase) as error:
        raise click.ClickException(str(error).replace("Wrong setting: DATABASE_URL", "The URL")) from None
    click.echo(f"{'Table':<20} {'Rows':>9}  Checksum, the same on both sides")
    for table, (rows, checksum) in report.items():
        click.echo(f"{table:<20} {rows:>9}  {checksum}")


def _show_progress(table: str, done: int, total: int) -> None:
    click.echo(f"{table}: {done:,} of {total:,} rows", err=True)


def _show_import(report: Report) -> None:
    for table, id, before, after in report.changed_addresses:
        click.echo(f"{table} {id}: the e-mail address {before!r} is {after!r} now.")
    if report.counts["service_history"].set_aside:
        click.echo("Some services or reviews have no place: they are in the table original_services_set_aside.")
    if report.added_services:
        click.echo(f"Completed bookings without a service: {report.added_services}. Each has an empty one now.")
    click.echo(f"{'Table':<16} {'Read':>9} {'Written':>9} {'Set aside':>9}")
    for table, counts in report.counts.items():
        click.echo(f"{table:<16} {counts.read:>9} {counts.written:>9} {counts.set_aside:>9}")
    click.echo("Accounts that need attention:" if report.attention else "No account needs attention.")
    for id, why in report.attention:
        click.echo(f"  user {id} {why}")
