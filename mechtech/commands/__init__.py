"""The commands of `flask --app wsgi`."""

from collections.abc import Callable
from functools import wraps

import click
from flask import Flask

from mechtech.commands import accounts, data, mail, privacy
from mechtech.database.migrate import WrongDatabase
from mechtech.errors import Refusal, Unavailable

COMMANDS = (
    *(data.init_db, data.migrate, data.seed, data.import_original, data.copy_to, data.backup, data.restore),
    *(accounts.create_admin, accounts.remove_admin, accounts.accounts),
    *(accounts.reset_password, accounts.end_sessions, accounts.unlock),
    *(privacy.forget, privacy.purge, mail.send_mail),
)


def init_app(app: Flask) -> None:
    for command in COMMANDS:
        app.cli.command()(_in_one_line(command))


def _in_one_line(command: Callable) -> Callable:
    """The command, which says in one line what it refuses, or that the database cannot be used."""

    @wraps(command)
    def run(**kwargs) -> None:
        try:
            command(**kwargs)
        except Unavailable as error:
            reason = " ".join(str(error.__cause__ or error).split())
            raise click.ClickException(f"The database cannot be used: {reason}") from None
        except Refusal as error:
            wrong = [f"{name}: {text}" for name, text in (error.fields or {}).items()]
            raise click.ClickException(" ".join(wrong) or str(error)) from None
        except WrongDatabase as error:
            raise click.ClickException(str(error)) from None

    return run
