"""Accounts."""

import secrets
from hashlib import blake2b

from mechtech import clock
from mechtech.database import Duplicate, get_db
from mechtech.errors import Invalid
from mechtech.texts import clean_address

COLUMNS = "id, name, email, phone, role, created_at, updated_at, tokens_valid_from, token_key, password"
TAKEN = {"email": "There is an account with this address already."}


def find(user_id: int) -> dict | None:
    """The account's row; `password` is its hash."""
    return _find("id = :id", {"id": user_id})


def find_by_address(email: str) -> dict | None:
    """The account's row. The address may be in any case, and in either form of its domain."""
    for form in dict.fromkeys((email, clean_address(email))):
        account = _find("lower(email) = lower(:email)", {"email": form})
        if account is not None:
            return account
    return None


def _find(condition: str, params: dict) -> dict | None:
    return get_db().one(
        f"""
        SELECT {COLUMNS}
        FROM users
        WHERE {condition}
        """,
        params,
    )


def find_highest_cost() -> int:
    """The highest cost of any account's bcrypt hash, of those that are in use anywhere; 0 where there is none.

    A damaged hash that claims a cost of 31 must not make every failed login take a day.
    """
    highest = get_db().one(
        """
        SELECT MAX(substr(password, 5, 2)) AS cost
        FROM users
        WHERE substr(password, 1, 2) = '$2' AND substr(password, 5, 2) BETWEEN '04' AND '16'
        """
    )["cost"]
    return int(highest) if highest and highest.isdigit() else 0


def create(*, name: str, email: str, phone: str | None, password: str, role: str = "customer") -> dict:
    """The new account's row; password: the hash. Raises Invalid if the address is taken, in whatever case."""
    row = {"name": name, "email": email, "phone": phone, "role": role, **new_password(password), **clock.stamps()}
    try:
        made = get_db().write(
            f"""
            INSERT INTO users (name, email, phone, role, password, token_key, created_at, updated_at)
            VALUES (:name, :email, :phone, :role, :password, :token_key, :created_at, :updated_at)
            RETURNING {COLUMNS}
            """,
            row,
        )
    except Duplicate:
        raise Invalid(fields=TAKEN) from None
    return made[0]


def update(user_id: int, changes: dict, instead_of: str | None = None) -> dict | None:
    """The account's row after the changes, whose names are columns. None if the account is gone.

    instead_of: the hash that the account must still have, else None: of two new passwords at once one wins.
    """
    absent = dict.fromkeys(("name", "phone", "role", "password", "token_key"))
    has_phone, now = int("phone" in changes), clock.text(clock.now())
    updated = get_db().write(
        f"""
        UPDATE users
        SET name = COALESCE(:name, name),
            phone = CASE WHEN :has_phone = 1 THEN :phone ELSE phone END,
            role = COALESCE(:role, role),
            password = COALESCE(:password, password),
            token_key = COALESCE(:token_key, token_key),
            updated_at = :now
        WHERE id = :id AND password = COALESCE(:instead_of, password)
        RETURNING {COLUMNS}
        """,
        {**absent, **changes, "has_phone": has_phone, "now": now, "id": user_id, "instead_of": instead_of},
    )
    return updated[0] if updated else None


def new_key() -> dict:
    """The change by which all tokens of an account end."""
    return {"token_key": secrets.token_urlsafe(16)}


def new_password(hashed: str) -> dict:
    """The changes by which an account gets another password."""
    return {"password": hashed, **new_key()}


def reset_key(account: dict) -> str:
    """A text that changes with the password, so that a link works once. It reveals neither hash nor password."""
    return blake2b(account["password"].encode(), digest_size=16).hexdigest()


def list_all() -> list[dict]:
    """Every account's row, the oldest first."""
    return get_db().all(
        f"""
        SELECT {COLUMNS}
        FROM users
        ORDER BY id
        """
    )
