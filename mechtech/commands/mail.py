"""The command that sends mails."""

import os
import signal
from threading import Event

import click
from flask import current_app

from mechtech.errors import Unavailable
from mechtech.mail import outbox, sender


@click.option("--once", is_flag=True, help="Send what is due and end, instead of waiting for more.")
def send_mail(once):
    """Send the mails that are due, and wait for more. Without MAIL_URL, development writes them to the log."""
    settings = current_app.config["settings"]
    if settings.production and not settings.mail_url:
        raise click.ClickException("MAIL_URL is empty: no mails are written down, and none can be sent.")
    sender.log.setLevel("INFO")
    stopped, parent = Event(), os.getppid()
    if not once:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        sender.log.info("waiting for mails to send")
    while not stopped.is_set() and os.getppid() == parent:  # beside a server, it ends with the process that began both
        try:
            if mail := outbox.claim():
                sender.send(mail, settings)
            elif once or stopped.wait(1):
                return
        except Unavailable as error:
            if once:
                raise
            sender.log.error("the database cannot be used: %s", error.__cause__ or error)
            stopped.wait(10)
