"""Makes the letter of a mail in the outbox: plain text and HTML, of the two templates that have its kind's name."""

import json
import re
from email.message import EmailMessage
from email.utils import formatdate
from smtplib import SMTPRecipientsRefused

import jinja2

from mechtech import clock
from mechtech.settings import Settings
from mechtech.texts import ascii_address
from mechtech.web import tokens

# One address, and nothing else that a header or a server could read in it, such as an encoded word: =?utf-8?q?a=0d?=
ADDRESS = re.compile(r'(?!.*=\?.*\?=)[^\s"(),:;<>@\[\]\\]+@[^\s"(),:;<>@\[\]\\]+')
TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("mechtech.mail"),
    autoescape=jinja2.select_autoescape(["html"]),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters.update(
    when=lambda time: f"{clock.moment(time):%-d %B %Y, %H:%M} UTC",
    degrees=lambda number: f"{number:.7f}".rstrip("0").removesuffix("."),  # as digits, never 1e-05
    tel=lambda phone: re.sub("[^0-9+]", "", re.split("(?i)e?x", phone)[0]),
)


def letter(mail: dict, settings: Settings) -> EmailMessage:
    """mail: a row of the outbox. Raises SMTPRecipientsRefused, as a server does, where that is not one address."""
    recipient, content = ascii_address(mail["recipient"]), json.loads(mail["content"])
    if not ADDRESS.fullmatch(recipient):
        raise SMTPRecipientsRefused({"": (553, b"not one address")})
    told = {**content, "facts": content, "link": _link(mail["kind"], content, settings)}
    subject, _, text = TEMPLATES.get_template(f"{mail['kind']}.txt").render(told).partition("\n\n")
    sender = settings.mail_from or "mechtech@localhost"  # of letters that only the log shows
    message = EmailMessage()
    message["Subject"] = " ".join(subject.removeprefix("Subject:").split()).replace("=?", "= ?")  # no encoded words
    message["From"] = f"MechTECH <{sender}>"
    message["To"] = recipient
    if mail["kind"].startswith("owner_") and ADDRESS.fullmatch(content["email"]):
        message["Reply-To"] = content["email"]
    message["Date"] = formatdate()
    # The same at each try, so that a mail that arrives twice can be told.
    message["Message-ID"] = f"<{mail['created_at'].replace(':', '')}.{mail['id']}@{sender.split('@')[1]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    message.add_alternative(TEMPLATES.get_template(f"{mail['kind']}.html").render(told), subtype="html")
    return message


def _link(kind: str, facts: dict, settings: Settings) -> str:
    """Where the mail leads. Tokens stand in the fragment, which no server logs."""
    if kind.startswith("owner_"):
        return f"{settings.public_url}/admin#{facts.get('reference', 'messages')}"
    if kind == "reset":
        return f"{settings.site_url}/reset#token={tokens.for_reset(facts['account_id'], facts['key'])}"
    return f"{settings.site_url}/booking#token={tokens.for_booking(facts['id'], clock.seconds(facts['created_at']))}"
