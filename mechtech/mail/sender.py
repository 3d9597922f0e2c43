"""Sends what is due in the outbox: each mail at least once, with growing pauses between tries."""

import logging
import re
import signal
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from mechtech import clock
from mechtech.database import Database
from mechtech.mail import outbox
from mechtech.mail.letters import NotAnAddress, letter
from mechtech.settings import Settings

SERVER_SECONDS = 30  # how long the mail server may be silent
MAIL_SECONDS = 300  # how long it may take for a mail, also byte by byte; less than outbox.SENDING_SECONDS
FIRST_PAUSE, LONGEST_PAUSE, TRIED_FOR = 60, 6 * 3600, 3 * 86400  # seconds
log = logging.getLogger("mechtech")


def send_next(db: Database, settings: Settings) -> bool:
    """Send the mail that is due next; False if none is. To be called in the app's context."""
    mail = outbox.claim(db)
    if mail is None:
        return False
    name = f"mail {mail['id']} ({mail['kind']})"
    try:
        message = letter(mail, settings)
        if settings.mail_url:
            with _at_most(MAIL_SECONDS):
                _deliver(message, settings)
        else:
            text = message.get_body(["plain"]).get_content()
            log.info("%s\nTo: %s\nSubject: %s\n\n%s", name, message["To"], message["Subject"], text)
    except Exception as error:  # a mail that cannot be made or sent, whatever the cause, keeps back no other
        now, pause = clock.now(), min(FIRST_PAUSE * 2 ** min(mail["tries"] - 1, 20), LONGEST_PAUSE)
        # Servers quote the recipient in what they say, and the log holds no address.
        reason = re.sub(r"\S*@\S*", "…", f"{type(error).__name__}: {error}")
        if _is_final(error) or now - clock.seconds(mail["created_at"]) >= TRIED_FOR:
            outbox.settle(db, mail, "given up", now)
            log.error("%s is given up after %d tries: %s", name, mail["tries"], reason)
        else:
            outbox.settle(db, mail, "later", now + pause)
            log.warning("%s is tried again in %d minutes: %s", name, pause // 60, reason)
    else:
        outbox.settle(db, mail, "sent", clock.now())
        log.info("%s is sent", name)
    return True


def _deliver(message: EmailMessage, settings: Settings) -> None:
    """Returns once the server has taken the message. Raises smtplib's errors, OSError and ssl's."""
    url, context = urlsplit(settings.mail_url), ssl.create_default_context()
    secure = {"context": context} if url.scheme == "smtps" else {}
    smtp = (smtplib.SMTP_SSL if secure else smtplib.SMTP)(url.hostname, url.port or 0, timeout=SERVER_SECONDS, **secure)
    try:
        smtp.ehlo()
        on_loopback = url.hostname in ("localhost", "127.0.0.1", "::1")
        if not secure and (smtp.has_extn("starttls") or not on_loopback):
            smtp.starttls(context=context)
        if url.username:
            smtp.login(unquote(url.username), unquote(url.password or ""))
        smtp.send_message(message, settings.mail_from, [message["To"]])
    finally:
        with suppress(smtplib.SMTPException, OSError):  # the message is taken, or not: leaving changes nothing
            smtp.quit()


@contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    """Raises TimeoutError in its block after these seconds. For the main thread alone, which gets the signals."""

    def stop(*_):
        raise TimeoutError(f"not done within {seconds} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def _is_final(error: Exception) -> bool:
    """Whether this mail can never be sent. A failed sign-in is about the settings instead."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    refused = isinstance(error, (smtplib.SMTPSenderRefused, smtplib.SMTPDataError)) and error.smtp_code >= 500
    return refused or isinstance(error, NotAnAddress)
