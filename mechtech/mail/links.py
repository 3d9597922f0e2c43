"""Mails with a link that anyone may ask for, by an e-mail address. What is answered never tells whether one is sent."""

from hashlib import blake2b

import limits

from mechtech.database import get_db
from mechtech.mail.outbox import get_outbox
from mechtech.signals import limit_refused
from mechtech.web.rate_limit import limiter

RATE = limits.parse("10 per 15 minutes")


def send_link(kind: str, asked: str, recipient: str | None, content: dict) -> None:
    """Write down the mail, or as much without one: where recipient is None, or after too many of them.

    asked: what they are counted by. It stands in the count as a hash: counts outlive what they count.
    """
    within = limiter().hit(RATE, "link", kind, blake2b(asked.encode(), digest_size=16).hexdigest())
    if not within:
        limit_refused.send("links")
    if recipient is not None and within:
        get_outbox().add(get_db(), kind, recipient, content)
    else:
        get_outbox().add_nothing(get_db())
