"""The way in for gunicorn and flask: wsgi:app."""

import sys

from mechtech import create_app
from mechtech.settings import SettingError

try:
    app = create_app()
except SettingError as error:
    sys.exit(f"Wrong setting: {error}")
