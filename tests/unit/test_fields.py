"""The kinds of field mean what marshmallow's documentation says of required, allow_none, load_default and validate."""

import pytest
from marshmallow import Schema, ValidationError
from marshmallow.validate import ContainsNoneOf, Length, OneOf, Range, Regexp

from mechtech.accounts.schemas import NewPassword, Password
from mechtech.web.fields import (
    Choice,
    Decimal,
    Digits,
    Email,
    Flag,
    Number,
    Phone,
    Text,
    Whole,
)
from mechtech.web.schemas import Body, Part

REQUIRED = ["This field is required."]
GOOD = {  # a kind of field, something it takes, and what that loads as
    Text: (" x ", "x"),
    Email: ("a@b.example", "a@b.example"),
    Phone: ("+1 555 0100", "+1 555 0100"),
    Password: (" secret ", " secret "),
    NewPassword: ("password123", "password123"),
    Number: (1.5, 1.5),
    Whole: (5.0, 5),
    Flag: (True, 1),
    Decimal: ("1.5", 1.5),
    Digits: ("5", 5),
}
every_kind = pytest.mark.parametrize("kind", GOOD)


def load(field, *value):
    """What a schema with this field loads of one value, or of nothing."""
    return Schema.from_dict({"field": field})().load({"field": value[0]} if value else {})


def texts(field, *value):
    with pytest.raises(ValidationError) as caught:
        load(field, *value)
    return caught.value.messages["field"]


# --- What marshmallow documents


@every_kind
def test_a_field_is_not_required_unless_it_says_so(kind):
    assert load(kind()) == {}
    assert texts(kind(required=True)) == REQUIRED
    assert load(kind(required=True), GOOD[kind][0]) == {"field": GOOD[kind][1]}


@every_kind
def test_null_is_wrong_unless_the_field_allows_it(kind):
    assert texts(kind(), None) == REQUIRED
    assert texts(kind(required=True), None) == REQUIRED
    assert load(kind(allow_none=True), None) == {"field": None}
    assert load(kind(load_default=None), None) == {"field": None}
    assert texts(kind(load_default=None, allow_none=False), None) == REQUIRED


@every_kind
def test_a_load_default_is_for_a_field_that_is_absent(kind):
    assert load(kind(load_default="default")) == {"field": "default"}
    assert load(kind(load_default=lambda: "made")) == {"field": "made"}
    assert load(kind(load_default="default"), GOOD[kind][0]) == {"field": GOOD[kind][1]}


@every_kind
def test_every_validator_is_asked_about_what_was_loaded(kind):
    value, loaded = GOOD[kind]
    seen = []
    assert load(kind(validate=[seen.append, OneOf([loaded])]), value) == {"field": loaded}
    assert seen == [loaded]
    assert texts(kind(validate=OneOf(["else"], error="Not this one.")), value) == ["Not this one."]


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        (Text(validate=OneOf(["x"])), "x", "not x"),
        (Text(validate=Length(2, 3)), "xxx", "xxxx"),
        (Text(validate=Length(equal=2)), "xx", "x"),
        (Text(validate=Regexp("x+$")), "xx", "xy"),
        (Text(validate=[Length(max=3), ContainsNoneOf("y")]), "xx", "xy"),
        (Email(validate=Regexp(r".*\.example$")), "a@b.example", "a@b.com"),
        (Phone(validate=Length(max=5)), "12345", "123456"),
        (NewPassword(validate=Regexp(".*[0-9]")), "password1", "passwords"),
        (Choice(["x", "y"], validate=OneOf(["x"])), "x", "y"),
        (Number(validate=Range(0, 1)), 1, 1.1),
        (Number(validate=Range(min=0, min_inclusive=False)), 0.1, 0),
        (Whole(validate=OneOf([1, 3])), 3, 2),
        (Decimal(validate=Range(max=1)), "1", "1.1"),
        (Digits(validate=Range(1, 200)), "200", "201"),
        (Flag(validate=OneOf([1])), True, False),
    ],
)
def test_marshmallows_validators_validate(field, good, bad):
    assert load(field, good)
    assert texts(field, bad)


def test_error_messages_replace_the_texts():
    field = Text(required=True, error_messages={"required": "Say it.", "invalid": "In words."})
    assert (texts(field), texts(field, 5)) == (["Say it."], ["In words."])


def test_post_load_and_pre_load_of_a_field_are_called():
    assert load(Text(pre_load=str.lower, post_load=len), " ABC ") == {"field": 3}


# --- What our kinds of field say


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        (Text(), 5, "This must be text."),
        (Text(required=True), " ", "This field is required."),
        (Choice(["a", "b"]), "c", "This must be one of a, b."),
        (Number(), "5", "This must be a number."),
        (Number(), True, "This must be a number."),
        (Number(), float("inf"), "This number is too large or too small."),
        (Number(), 10**400, "This number is too large or too small."),
        (Whole(), 1.5, "This must be a whole number."),
        (Whole(), float("inf"), "This must be a whole number."),
        (Flag(), "true", "This must be true or false."),
        (Flag(), 2, "This must be true or false."),
        (Decimal(), "1,5", "This must be a number."),
        (Decimal(), 5, "This must be a number."),
        (Digits(), "1.0", "This must be a whole number."),
        (Digits(), 5, "This must be a whole number."),
    ],
)
def test_what_is_wrong_is_told_in_words(field, value, text):
    assert texts(field, value) == [text]


@pytest.mark.parametrize("kind", [Text, Choice])
def test_text_may_be_empty_where_it_is_not_required(kind):
    field = Text(load_default="x") if kind is Text else Choice(["", "x"])
    assert load(field, " ") == {"field": ""}


# --- What empty fields of a body mean


class Car(Body):
    brand = Text(required=True)
    colour = Text(load_default=None)
    doors = Whole(load_default=5)


class CarUpdate(Part):
    brand = Text(required=True)
    colour = Text(load_default=None)
    doors = Whole(load_default=5)


@pytest.mark.parametrize("nothing", [None, "", " \t\n"])
def test_null_and_empty_mean_the_same_as_absent(nothing):
    absent = Car().load({"brand": "Toyota"})
    assert absent == {"brand": "Toyota", "colour": None, "doors": 5}
    assert Car().load({"brand": "Toyota", "colour": nothing}) == absent


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_part_clears_what_may_be_none_and_leaves_the_rest(nothing):
    assert CarUpdate().load({}) == {}
    assert CarUpdate().load({"colour": nothing, "doors": nothing}) == {"colour": None}
    assert CarUpdate().read({"brand": nothing}) == (None, {"brand": "This field is required."})


def test_a_schema_takes_the_arguments_of_marshmallow():
    assert CarUpdate(only=("brand",), partial=False).read({}) == (None, {"brand": "This field is required."})
    assert Car(exclude=("brand",)).load({}) == {"colour": None, "doors": 5}
