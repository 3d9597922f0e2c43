# ruff: noqa: RUF001
"""Invisible characters, e-mail addresses and phone numbers, without HTTP."""

import time

import pytest

from mechtech import texts

MÜLLER = "rita@xn--mller-kva.example"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "\u00a0",
            "\u200b",
            "\u200d\u200c",
            "\u2060",
            "\ufeff",
            "\u00ad",
            "\u034f",
            "\u061c",
            "\u115f\u1160",
        ),
        *("\u180e", "\u202e", "\u2065", "\u2066\u2069", "\u2800", "\u3000", "\u3164", "\uffa0", "\ufe0f", "\ufff0"),
        *("\ufffc", "\uffff", "\u0301", "\U000e0041", "\U000e0100", "\U0001d159", "\t\n", " \u200b\u3164\u2800 "),
    ],
    ids=ascii,
)
def test_what_shows_nothing_is_not_visible(text):
    assert not texts.has_visible(text)
    assert texts.has_visible(f"{text}O")


@pytest.mark.parametrize("text", ["O", "李", "é", "e\u0301", "-", "🚗", "\U0001fae9", "०", "ـ", "\u200bx"], ids=ascii)
def test_one_character_that_shows_is_enough(text):
    assert texts.has_visible(text)


@pytest.mark.parametrize(
    "domain",
    [
        "müller.example",
        "MÜLLER.Example",
        "mu\u0308ller.example",
        "müller。example",
        "müller．example",
        "ｍüller.example",
    ],
)
def test_every_form_of_an_international_domain_is_one_address(domain):
    assert texts.address_key(f"Rita@{domain}") == texts.address_key(MÜLLER.upper()) == MÜLLER


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("faß.example", "xn--fa-hia.example"),  # not fass.example, which may be another's
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("한국.kr", "xn--3e0b707e.kr"),
        ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
    ],
)
def test_an_international_domain_has_an_ascii_form(domain, expected):
    assert texts.ascii_address(f"a@{domain}") == f"a@{expected}"
    assert texts.EMAIL.fullmatch(f"a@{expected}")


@pytest.mark.parametrize(
    "email", ["a@ü..b", "a@💩.example", "a@ü b.example", "a@ü\u200bb.example", "a@ü_b.example", "ä"]
)
def test_what_is_no_domain_stays_as_it_is(email):
    assert texts.ascii_address(email) == email
    assert not texts.EMAIL.fullmatch(email)


@pytest.mark.parametrize("start", ["", "\ufeff", "\u200b", " \u200b ", "\u202a", "\u00a0"], ids=ascii)
@pytest.mark.parametrize("end", ["", "\u200b", "\u202c", "\ufe0f", "\u200b\n", "\U000e0100"], ids=ascii)
def test_invisible_characters_at_the_ends_of_an_address_are_dropped(start, end):
    assert texts.strip_invisible(f"{start}a@b.example{end}") == "a@b.example"


def test_an_invisible_character_within_an_address_stays():
    assert texts.clean_address("a\u200bb@c.example") == "a\u200bb@c.example"
    assert not texts.EMAIL.fullmatch("a\u200bb@c.example")


@pytest.mark.parametrize(
    ("pasted", "cleaned"),
    [
        *((f"{start}+49 170 1234567{end}", "+49 170 1234567") for start, end in ("\u202a\u202c", "\u2068\u2069")),
        ("\u200e+49 170 1234567\u200f", "+49 170 1234567"),
        ("+49\ufe0d 170\U000e0100 12\u200b34\u2060567\ufeff", "+49 170 1234567"),
        ("+49\u00a0170\u202f123\u20094567", "+49 170 123 4567"),
        ("0170\u20101234\u20115\u20126\u20137\u22128", "0170-1234-5-6-7-8"),
        ("01\u00ad70 1234567", "0170 1234567"),
        ("０１７０－１２３４５６７", "0170-1234567"),
        ("＋４９（１７０）１２３４５６７", "+49(170)1234567"),
        ("٠١٧٠ ١٢٣٤٥٦٧", "0170 1234567"),
        ("۰۱۷۰ १२३४ 𝟓𝟔𝟕", "0170 1234 567"),
        ("\u3000+49.170.1234567 ", "+49.170.1234567"),
        *((number, number) for number in ("0170/1234567", "(0170) 12-34-567", "+1 555 0100 ext. 5", "1" * 21, "1234")),
        *((f"555 0100{extension}",) * 2 for extension in (" ext 5", " ext.5", "x12", " X 12", " Ext. 123456")),
        ("1" * 21 + " ext. 123456",) * 2,
    ],
    ids=ascii,
)
def test_a_pasted_phone_number_is_cleaned(pasted, cleaned):
    assert texts.clean_phone(pasted) == cleaned
    assert texts.PHONE.fullmatch(cleaned)


@pytest.mark.parametrize(
    "text",
    [
        *("", "----", "((((", "+", "123", "+1 2 3", "1" * 22, "555-CALL", "12x34", "0x1234", "x12345", "ext. 12345"),
        *("555 0100 ext.", "555 0100 x1234567", "555 0100 x12 x13", "555 0100 x12 34 ", "555 0100 extension 5"),
        *("555 0100\t", "555\n0100", "555 0100,", "555*0100", "#5550100", "555_0100", "555²0100", "5550\u0301100"),
    ],
    ids=ascii,
)
def test_what_is_no_phone_number_is_none(text):
    assert not texts.PHONE.fullmatch(texts.clean_phone(text) if text.isprintable() else text)


@pytest.mark.parametrize(
    "text",
    [
        "".join(chr(0x4E00 + place) for place in range(20_000)) + ".example",
        "ü" * 30_000,
        "ü." * 20_000,
        "\u200b" * 20_000,
        "\u0315" * 15_000 + "\u0316" * 15_000,
        "1" * 60_000 + "x",
    ],
    ids=lambda text: ascii(text[:3]),
)
def test_no_text_of_64_kib_takes_long(text):
    started = time.process_time()
    texts.address_key(f"a@{text}")
    texts.PHONE.fullmatch(texts.clean_phone(text))
    texts.has_visible(text)
    texts.normalize_password(text)
    assert time.process_time() - started < 0.5


def test_a_domain_of_253_characters_is_the_longest_that_is_converted():
    domain = f"ü.{'a' * 251}"
    assert texts.ascii_address(f"a@{domain}") == f"a@xn--tda.{'a' * 251}"
    assert texts.ascii_address(f"a@{domain}a") == f"a@{domain}a"


def test_a_password_of_any_length_is_normalized_as_far_as_bcrypt_looks():
    longest = "e\u0301" * 30_000
    assert texts.normalize_password(longest).startswith("é" * 72)
    assert texts.normalize_password("é" * 36, "NFD") == "e\u0301" * 36
