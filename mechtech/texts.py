"""What people type and paste: characters that cannot be seen, e-mail addresses, phone numbers."""

import re
import unicodedata

CONTROLS = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # but for the tab and line breaks
BREAKS = r"\t\n\r\u2028\u2029"
UNPRINTABLE = re.compile(rf"[{CONTROLS}\ud800-\udfff]")  # control characters and lone surrogates
LINE_BREAKS = re.compile(f"[{BREAKS}]")
# Unicode's Default_Ignorable_Code_Point: zero-width characters, variation selectors, fillers, tags.
IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
BLANK_ASCII = "".join(map(chr, (*range(33), 127)))
BLANK = frozenset("\u2800\ufffc\ufffe\uffff\U0001d159")  # symbols and others that show nothing
# What a browser's <input type=email> lets through, with a dot in the domain. In ASCII, so that lower() of every
# database compares all of it.
LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
EMAIL = re.compile(rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{LABEL}(?:\.{LABEL})+")
LONGEST_DOMAIN = 253
LONGEST_PASSWORD = 1000  # characters, of which at least 72 bytes are left in every form
SIGNS = r"[+\-./() ]*"
# 4 to 21 digits, with or without an extension.
PHONE = re.compile(rf"{SIGNS}(?:[0-9]{SIGNS}){{4,21}}(?:(?:[eE][xX][tT]\.?|[xX]) *[0-9]{{1,6}})?")


def has_visible(text: str) -> bool:
    """Whether at least one of its characters can be seen. A mark alone, without a letter beneath it, cannot."""
    return any(
        not _is_ignorable(character)
        and character not in BLANK
        and unicodedata.category(character) not in ("Cc", "Cs", "Zs", "Zl", "Zp", "Mn", "Me")
        for character in text
    )


def strip_invisible(text: str) -> str:
    """The text without blanks, control and ignorable characters at its ends."""
    return text.strip(BLANK_ASCII if text.isascii() else "".join(filter(_is_invisible, set(text))))


def ascii_address(email: str) -> str:
    """The address with an international domain in its xn-- form; as it is, where the domain has none."""
    name, at, domain = email.rpartition("@")
    return f"{name}@{_ascii_domain(domain)}" if at and not domain.isascii() else email


def clean_address(email: str) -> str:
    """The address as accounts have it: without invisible characters at its ends and a dot after its domain."""
    name, at, domain = strip_invisible(email).rpartition("@")
    return ascii_address(f"{name}@{domain.rstrip('.')}") if at else domain


def address_key(email: str) -> str:
    """The same text for all addresses that count as one: upper and lower case make no difference."""
    return clean_address(email).lower()


def clean_phone(text: str) -> str:
    """The number in ASCII, as far as it can be: the digits of any script, hyphens, spaces and full-width signs."""
    return text if text.isascii() else "".join(map(_phone_character, text)).strip()


def normalize_password(password: str, form: str = "NFC") -> str:
    """The password in this form of Unicode, cut: the time of sorting marks grows with the square of their number."""
    return unicodedata.normalize(form, password[:LONGEST_PASSWORD])


def _is_invisible(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) == "Cc" or _is_ignorable(character)


def _is_ignorable(character: str) -> bool:
    return not character.isascii() and bool(unicodedata.category(character) == "Cf" or IGNORABLE.match(character))


def _phone_character(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Zs":
        return " "
    if category == "Pd" or character in "\u2043\u2212":  # the hyphen bullet and the minus sign
        return "-"
    if _is_ignorable(character):
        return ""
    return chr(ord(character) - 0xFEE0) if "\uff01" <= character <= "\uff5e" else character


def _ascii_domain(domain: str) -> str:
    """As browsers have it (UTS 46, nontransitional); Python's own codec makes another domain of one with ß.

    A domain that is too long to have a form stays as it is: Punycode's time grows with the square of the length.
    """
    if len(domain) > LONGEST_DOMAIN:
        return domain
    mapped = unicodedata.normalize("NFKC", domain.lower()).replace("\u3002", ".")
    labels = mapped.split(".")
    known = all(character in "-." or unicodedata.category(character)[0] in "LMN" for character in mapped)
    if not known or "" in labels:
        return domain
    return ".".join(label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in labels)
