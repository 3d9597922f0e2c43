"""A real SMTP server, and the letters that it took."""

import email
import email.policy
from contextlib import contextmanager

from aiosmtpd.controller import Controller

from tests.gunicorn_server import free_port


class Inbox:
    """What a mail server took. answers: what it says to the next mails instead of taking them."""

    def __init__(self):
        self.letters, self.answers = [], []

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.answers and self.answers[0].startswith("RCPT "):
            return self.answers.pop(0).removeprefix("RCPT ")
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.answers:
            answer = self.answers.pop(0)
            if answer == "hang up":
                server.transport.close()
            return answer
        self.letters.append(Letter(envelope))
        return "250 OK"


class Letter:
    def __init__(self, envelope):
        self.message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.sender, self.recipients = envelope.mail_from, envelope.rcpt_tos
        self.subject = self.message["Subject"]
        self.text = self.message.get_body(["plain"]).get_content()
        self.html = self.message.get_body(["html"]).get_content()


@contextmanager
def mail_server_of(inbox: Inbox, hostname: str = "127.0.0.1", **options):
    """The port of a mail server that runs in a thread; options as aiosmtpd's Controller takes them."""
    controller = Controller(inbox, hostname=hostname, port=free_port(), **options)
    controller.start()
    yield controller.port
    controller.stop()
