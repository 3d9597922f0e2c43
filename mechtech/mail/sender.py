"""Sends the mails of the outbox: each at least once, with growing pauses between tries."""

import logging
import re
import signal
import smtplib
import ssl
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from mechtech import clock
from mechtech.mail import outbox
from mechtech.mail.letters import letter
from mechtech.settings import Settings

SERVER_SECONDS, MAIL_SECONDS = 30, 300  # of a server's silence, and for a mail: less than outbox.SENDING_SECONDS
FIRST_PAUSE, LONGEST_PAUSE, TRIED_FOR = 60, 6 * 3600, 3 * 86400  # seconds
log = logging.getLogger("mechtech")


def send(mail: dict, settings: Settings) -> None:
    """Send a claimed mail, and write down what becomes of it. For the main thread, in the app's context."""
    name = f"mail {mail['id']} ({mail['kind']})"
    try:
        _deliver(mail, settings)
        mail |= {"sent_at": clock.text(clock.now()), "content": "{}"}  # this is no archive
        log.info("%s is sent", name)
    except Exception as error:  # a mail that cannot be made or sent, whatever the cause, keeps back no other
        reason = re.sub(r"\S*@\S*", "…", f"{type(error).__name__}: {error}")  # servers quote the recipient's address
        now, pause = clock.now(), min(FIRST_PAUSE * 2 ** (mail["tries"] - 1), LONGEST_PAUSE)
        if _is_final(error) or now - clock.seconds(mail["created_at"]) >= TRIED_FOR:
            mail["given_up_at"] = clock.text(now)
            log.error("%s is given up after %d tries: %s", name, mail["tries"], reason)
        else:
            mail["due_at"] = clock.text(now + pause)
            log.warning("%s is tried again in %d minutes: %s", name, pause // 60, reason)
    outbox.save(mail)


def _deliver(mail: dict, settings: Settings) -> None:
    """Returns once the mail server has taken the mail; without a server, the log gets it. Raises whatever fails."""
    mime = letter(mail, settings)
    if settings.mail_url is None:
        log.info("To: %s\nSubject: %s\n\n%s", mime["To"], mime["Subject"], mime.get_body(["plain"]).get_content())
        return
    url, tls = urlsplit(settings.mail_url), ssl.create_default_context()
    place = {"host": url.hostname, "port": url.port or 0, "timeout": SERVER_SECONDS}
    signal.signal(signal.SIGALRM, _stop)
    signal.alarm(MAIL_SECONDS)
    try:
        smtp = smtplib.SMTP_SSL(**place, context=tls) if url.scheme == "smtps" else smtplib.SMTP(**place)
        smtp.ehlo_or_helo_if_needed()
        on_loopback = url.hostname in ("localhost", "127.0.0.1", "::1")
        if url.scheme == "smtp" and (smtp.has_extn("starttls") or not on_loopback):
            smtp.starttls(context=tls)
        if url.username:
            smtp.login(unquote(url.username), unquote(url.password or ""))
        smtp.send_message(mime, settings.mail_from, [mime["To"]])
        with suppress(smtplib.SMTPException, OSError):  # the message is taken: leaving changes nothing
            smtp.quit()
    finally:
        signal.alarm(0)


def _stop(*_) -> None:
    raise TimeoutError(f"not taken within {MAIL_SECONDS} s")


def _is_final(error: Exception) -> bool:
    """Whether this mail can never be sent. A failed sign-in is about the settings instead."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, (smtplib.SMTPSenderRefused, smtplib.SMTPDataError)) and error.smtp_code >= 500
