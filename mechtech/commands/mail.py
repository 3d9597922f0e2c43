"""The command that sends mails."""

import logging
import os
import signal
from threading import Event

import click
from flask import current_app

from mechtech.database import get_db
from mechtech.errors import Unavailable
from mechtech.mail.sender import send_next

LOOK_EVERY, AFTER_FAILURE = 1, 10  # seconds
log = logging.getLogger("mechtech")


@click.option("--once", is_flag=True, help="Send what is due and end, instead of waiting for more.")
def send_mail(once):
    """Send the mails that are due, and wait for more. Without MAIL_URL, development writes them to the log."""
    settings, db = current_app.config["settings"], get_db()
    if settings.production and not settings.mail_url:
        raise click.ClickException("MAIL_URL is empty: no mails are written down, and none can be sent.")
    log.setLevel(logging.INFO)
    if once:
        while send_next(db, settings):
            pass
        return
    stopped, parent = Event(), os.getppid()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    signal.signal(signal.SIGINT, lambda *_: stopped.set())
    log.info("waiting for mails to send")
    while not stopped.is_set() and os.getppid() == parent:  # beside a server, it ends with the process that began both
        try:
            sent = send_next(db, settings)
        except Unavailable as error:
            log.error("the database cannot be used: %s", error.__cause__ or error)
            stopped.wait(AFTER_FAILURE)
        else:
            sent or stopped.wait(LOOK_EVERY)
