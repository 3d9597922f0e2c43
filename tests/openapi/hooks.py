"""What schemathesis is told before it runs: who calls, and what the description cannot say.

Each exception is a refusal whose every field has one of these texts. Beside them stand two checks that are left out:
missing_required_header, since validation comes before authorization, and use_after_free, since a booking that is
deleted stays, as a cancelled one.
"""

import os
import time

import jwt
import schemathesis

from mechtech.accounts import repository as accounts
from mechtech.accounts import routes
from mechtech.mechanics import repository as mechanics
from mechtech.texts import normalize_password
from mechtech.web.body import UNKNOWN
from mechtech.web.fields import Whole
from mechtech.web.paging import NOT_OURS
from tests.answers import sql
from tests.conftest import SECRET

# schemathesis' codes: a call that the description allows was refused, or one that it forbids was accepted; one without
# a token was not answered by 401, since validation comes first; a status is not described.
REFUSED, ACCEPTED, UNAUTHORIZED, UNDESCRIBED = "ST202", "ST201", "ST401", "ST103"
TOO_LONG = 414  # of gunicorn, for a request line of more than 4 KiB
NOT_DIGITS = Whole.default_error_messages["invalid"]
ADMINS_QUERIES = {"mechanicId", "q", "verified"}
BEYOND_JSON_SCHEMA = {
    # Pairs, and fields that depend on another one's value.
    "Latitude and longitude are needed together.",
    "The two passwords are not equal.",
    "This is required for a new password.",
    "This goes only with the status completed.",
    "At least one field is required.",  # where the only one is null or empty
    # Signed texts, secrets, and what is in the database.
    NOT_OURS,
    "Only a completed booking has this.",
    "There is no verified mechanic with this id.",
    *routes.DEAD_LINK.values(),
    *routes.WRONG_PASSWORD.values(),
    *accounts.TAKEN.values(),
    *mechanics.TAKEN.values(),
    # Bytes against characters, and what a character shows.
    "This must have at most 72 bytes.",
    "This has no character that can be seen.",
}


@schemathesis.auth()
class Caller:
    """Signs tokens itself: after a logout it is asked for another one."""

    def get(self, case, context):
        if "CALLER_TOKEN" in os.environ or "CALLER_EMAIL" not in os.environ:
            return os.environ.get("CALLER_TOKEN")
        select = "SELECT id, token_key FROM users WHERE email = ?"
        ((user_id, key),) = sql(os.environ["DB_PATH"], select, (os.environ["CALLER_EMAIL"],))
        claims = {"userId": user_id, "iat": int(time.time()), "exp": int(time.time()) + 3600}
        return jwt.encode(claims if key is None else {**claims, "key": key}, SECRET, "HS256")

    def set(self, case, token, context):
        if token is not None:
            case.headers["Authorization"] = f"Bearer {token}"


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Whether it is a failure."""
    if failure.code == UNDESCRIBED and response.status_code == TOO_LONG:
        return False
    if failure.code == ACCEPTED:
        return not any(_is_read_otherwise(text) for text in _sent(case).values())
    if failure.code == UNAUTHORIZED and "`400 " in failure.message:
        return ADMINS_QUERIES.isdisjoint(case.query)
    if failure.code == REFUSED and response.status_code == 400:
        wrong = response.json().get("fields", {})
        return not wrong or not all(_is_beyond(name, text, case) for name, text in wrong.items())
    return True


def _is_beyond(name, text, case):
    value = _sent(case).get(name)
    if text == UNKNOWN:
        return case.method == "GET" and name in ADMINS_QUERIES
    if text == NOT_DIGITS:  # of 6.0 in a query, which is an integer in JSON
        return case.method == "GET" and isinstance(value, float) and value.is_integer()
    return text in BEYOND_JSON_SCHEMA or _is_read_otherwise(value)


def _sent(case):
    """The fields of the query and of the body, by their names."""
    return {**(case.query or {}), **(case.body if isinstance(case.body, dict) else {})}


def _is_read_otherwise(text):
    """Whether the service trims this text, or reads it in another form, before it checks its length."""
    return isinstance(text, str) and text != normalize_password(text.strip())
