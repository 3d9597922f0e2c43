"""The commands of `flask --app wsgi`."""

from flask import Flask

from mechtech.commands import accounts, data

COMMANDS = (
    data.init_db,
    data.migrate,
    data.seed,
    data.import_original,
    data.copy_to,
    accounts.create_admin,
    accounts.reset_password,
)


def init_app(app: Flask) -> None:
    for command in COMMANDS:
        app.cli.command()(command)
