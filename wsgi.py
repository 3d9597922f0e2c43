"""The production server's way in: gunicorn wsgi:app."""

from mechtech import create_app

app = create_app()
