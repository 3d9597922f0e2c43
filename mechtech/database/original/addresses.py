"""E-mail addresses of the original, cleaned so that their owners can sign in."""

import contextlib
import re
import unicodedata

BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}", re.ASCII)


def clean_address(email: str) -> str:
    """The address without what nobody types: blanks and invisible characters at its ends, the dot after its domain.

    An international domain comes out in its xn-- form. What cannot be cleaned stays as it is.
    """
    start, end = 0, len(email)
    while start < end and _is_invisible(email[start]):
        start += 1
    while start < end and _is_invisible(email[end - 1]):
        end -= 1
    name, at, domain = email[start:end].rpartition("@")
    domain = domain.rstrip(".") if at else domain
    if not domain.isascii() and at:
        with contextlib.suppress(UnicodeError):
            domain = domain.encode("idna").decode("ascii").rstrip(".")
    return f"{name}{at}{domain}"


def address_key(email: str) -> str:
    """The same text for all addresses that count as one: upper and lower case make no difference."""
    return clean_address(email).lower()


def is_bcrypt(password: str) -> bool:
    """Whether it is a hash that a login can check."""
    return BCRYPT.fullmatch(password) is not None


def _is_invisible(character: str) -> bool:
    """Blanks, control and format characters (zero-width ones, byte order marks), and variation selectors."""
    return (
        character.isspace()
        or unicodedata.category(character) in ("Cc", "Cf")
        or "\ufe00" <= character <= "\ufe0f"
        or "\U000e0100" <= character <= "\U000e01ef"
    )
