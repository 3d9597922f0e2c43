"""Accounts."""

import secrets
from hashlib import blake2b

from mechtech import clock
from mechtech.database import Duplicate, get_db
from mechtech.errors import Invalid, InvalidToken
from mechtech.texts import clean_address

COLUMNS = "id, name, email, phone, role, created_at, updated_at, tokens_valid_from, token_key"
TAKEN = {"email": "There is an account with this address already."}
DEAD_LINK = {"token": "This link is over or was used: please ask for another one."}
WRONG_PASSWORD = {"currentPassword": "This is not your password."}


def find(user_id: int) -> dict | None:
    """The account's row without its password."""
    return get_db().one(
        f"""
        SELECT {COLUMNS}
        FROM users
        WHERE id = :id
        """,
        {"id": user_id},
    )


def find_login(email: str) -> dict | None:
    """The account's row with `password`, its hash. The address may be in any case, and in either form of its domain."""
    for form in dict.fromkeys((email, clean_address(email))):
        account = _find_with_password("lower(email) = lower(:email)", {"email": form})
        if account is not None:
            return account
    return None


def find_with_password(user_id: int) -> dict | None:
    """The account's row with `password`, its hash."""
    return _find_with_password("id = :id", {"id": user_id})


def _find_with_password(condition: str, params: dict) -> dict | None:
    return get_db().one(
        f"""
        SELECT {COLUMNS}, password
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
    try:
        made = get_db().write(
            f"""
            INSERT INTO users (name, email, phone, password, role, token_key, created_at, updated_at)
            VALUES (:name, :email, :phone, :password, :role, :token_key, :now, :now)
            RETURNING {COLUMNS}
            """,
            {
                "name": name,
                "email": email,
                "phone": phone,
                "password": password,
                "role": role,
                "token_key": draw_key(),
                "now": clock.text(clock.now()),
            },
        )
    except Duplicate:
        raise Invalid(fields=TAKEN) from None
    return made[0]


def update(user_id: int, changes: dict) -> dict:
    """The account's row after changes of name and phone. Raises InvalidToken if the account is gone."""
    updated = get_db().write(
        f"""
        UPDATE users
        SET name = COALESCE(:name, name),
            phone = CASE WHEN :has_phone = 1 THEN :phone ELSE phone END,
            updated_at = :now
        WHERE id = :id
        RETURNING {COLUMNS}
        """,
        {
            "id": user_id,
            "name": changes.get("name"),
            "has_phone": int("phone" in changes),
            "phone": changes.get("phone"),
            "now": clock.text(clock.now()),
        },
    )
    if not updated:
        raise InvalidToken
    return updated[0]


def set_password(user_id: int, password: str, instead_of: str, changes: dict | None = None) -> dict | None:
    """The account's row with a new password and key, so that every token ends; changes are those of update().

    password, instead_of: hashes. None if the old one is not there any more: of two changes at once one wins.
    """
    changes = changes or {}
    updated = get_db().write(
        f"""
        UPDATE users
        SET name = COALESCE(:name, name),
            phone = CASE WHEN :has_phone = 1 THEN :phone ELSE phone END,
            password = :password, token_key = :token_key, updated_at = :now
        WHERE id = :id AND password = :instead_of
        RETURNING {COLUMNS}
        """,
        {
            "id": user_id,
            "name": changes.get("name"),
            "has_phone": int("phone" in changes),
            "phone": changes.get("phone"),
            "password": password,
            "instead_of": instead_of,
            "token_key": draw_key(),
            "now": clock.text(clock.now()),
        },
    )
    return updated[0] if updated else None


def rehash(user_id: int, password: str, instead_of: str) -> None:
    """Store the same password under a new hash; its tokens stay. password, instead_of: hashes."""
    get_db().write(
        """
        UPDATE users
        SET password = :password
        WHERE id = :id AND password = :instead_of
        """,
        {"id": user_id, "password": password, "instead_of": instead_of},
    )


def end_tokens(user_id: int) -> None:
    """Draw the account's key anew."""
    get_db().write(
        """
        UPDATE users
        SET token_key = :token_key
        WHERE id = :id
        """,
        {"id": user_id, "token_key": draw_key()},
    )


def set_role(user_id: int, role: str) -> None:
    get_db().write(
        """
        UPDATE users
        SET role = :role, updated_at = :now
        WHERE id = :id
        """,
        {"id": user_id, "role": role, "now": clock.text(clock.now())},
    )


def list_all() -> list[dict]:
    """Every account's row without its password, the oldest first."""
    return get_db().all(
        f"""
        SELECT {COLUMNS}
        FROM users
        ORDER BY id
        """
    )


def reset_key(account: dict) -> str:
    """What ends with the password: a link works once. It tells nothing of the hash, nor of the password."""
    return blake2b(account["password"].encode(), digest_size=16).hexdigest()


def draw_key() -> str:
    """A new text for `token_key`, by which the account's tokens end."""
    return secrets.token_urlsafe(16)
