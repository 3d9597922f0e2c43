"""The commands that back up and restore a SQLite database."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click
from flask import current_app

from mechtech.database import get_db
from mechtech.database.backup import BackupRefused, Content, back_up
from mechtech.database.backup import restore as run_restore


@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--keep", type=click.IntRange(1), metavar="N", help="Remove all but the newest N backups of FILE's pattern."
)
def backup(file, keep):
    """Copy the SQLite database into a new FILE, while the service runs.

    FILE may have the time (UTC) in its name, as mechtech-%Y-%m-%d.db: see strftime(3).
    """
    dated = file.with_name(time.strftime(file.name, time.gmtime()))
    if keep and dated == file:
        raise click.UsageError("--keep needs a time in the name of FILE, as mechtech-%Y-%m-%d.db.")
    with _sqlite() as path:
        content = back_up(path, dated)
    click.echo(f"{dated} holds {_shown(content)}.")
    for older in _of_pattern(file)[keep:] if keep else ():
        older.unlink()
        click.echo(f"{older} is removed.")


@click.argument("file", type=click.Path(path_type=Path))
def restore(file):
    """Put the backup FILE in the place of the SQLite database, which is kept aside. The service must be stopped."""
    with _sqlite() as path:
        content, old = run_restore(path, file, get_db().latest)
    click.echo(f"{path} holds {_shown(content)} now.")
    click.echo(f"The database before it is {old} now." if old else "There was no database before it.")


@contextmanager
def _sqlite() -> Iterator[str]:
    """The path of the database, for a block whose refusals end the command."""
    if current_app.config["settings"].database_url:
        raise click.ClickException("PostgreSQL is backed up by pg_dump and restored by pg_restore: see docs/deploy.md.")
    try:
        yield get_db().path
    except BackupRefused as error:
        raise click.ClickException(str(error)) from None


def _of_pattern(pattern: Path) -> list[Path]:
    """The files whose names the pattern can make, the newest first."""
    found = []
    for file in pattern.parent.iterdir():
        with suppress(ValueError):
            time.strptime(file.name, pattern.name)
            found.append(file)
    return sorted(found, key=lambda file: file.stat().st_mtime_ns, reverse=True)


def _shown(content: Content) -> str:
    rows = ", ".join(f"{count:,} {table.replace('_', ' ')}" for table, count in content.rows.items())
    return f"a database of version {content.version} with {rows}"
