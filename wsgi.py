"""The application for gunicorn and flask: wsgi:app."""

import sys

import click

from mechtech import create_app, prepare_database
from mechtech.database.migrate import WrongDatabase
from mechtech.settings import SettingError

try:
    app = create_app()
    if click.get_current_context(silent=True) is None:  # a server starts; a command of flask decides for itself
        prepare_database(app)
except SettingError as error:
    sys.exit(f"Wrong setting: {error}")
except WrongDatabase as error:
    print(error, file=sys.stderr)
    sys.exit(4)  # by which gunicorn stops as well, instead of starting worker after worker
