"""Accounts."""

from mechtech import clock
from mechtech.database import Duplicate, get_db
from mechtech.errors import Invalid, Unauthorized

COLUMNS = "id, name, email, phone, role, created_at, updated_at, tokens_valid_from"
TAKEN = {"email": "There is an account with this address already."}
WRONG_PASSWORD = {"currentPassword": "This is not your password."}


def find(user_id: int) -> dict | None:
    """The user as answers show it, and tokens_valid_from."""
    return get_db().one(
        f"""
        SELECT {COLUMNS}
        FROM users
        WHERE id = :id
        """,
        {"id": user_id},
    )


def check_token(user_id: int | None, token_issued: float | None) -> dict | None:
    """The user as find() has it, or None for no user. token_issued: seconds since 1970.

    Raises Unauthorized for a token of nobody, or one that a new password ended.
    """
    if user_id is None:
        return None
    user = find(user_id)
    if user is None or token_issued < user["tokens_valid_from"]:
        raise Unauthorized("The token is not valid any more.")
    return user


def find_login(email: str) -> dict | None:
    """The user as find() has it, and password: the hash. The address in any case."""
    return get_db().one(
        f"""
        SELECT {COLUMNS}, password
        FROM users
        WHERE email = :email
        """,
        {"email": email},
    )


def create(*, name: str, email: str, phone: str | None, password: str, role: str = "customer") -> dict:
    """The new user as find() has it; password: the hash. Raises Invalid if the address is taken, in whatever case."""
    try:
        return get_db().write(
            f"""
            INSERT INTO users (name, email, phone, password, role, created_at, updated_at)
            VALUES (:name, :email, :phone, :password, :role, :now, :now)
            RETURNING {COLUMNS}
            """,
            {
                "name": name,
                "email": email,
                "phone": phone,
                "password": password,
                "role": role,
                "now": clock.text(clock.now()),
            },
        )[0]
    except Duplicate:
        raise Invalid(fields=TAKEN) from None


def update(user_id: int, changes: dict, password: str | None = None, instead_of: str | None = None) -> dict:
    """The user as find() has it, after changes of name and phone, and of the password if there is one.

    password, instead_of: hashes. The old one must still stand there, else Invalid: of two changes at once one wins.
    Raises Unauthorized if the user is gone.
    """
    updated = get_db().write(
        f"""
        UPDATE users
        SET name = COALESCE(:name, name),
            phone = CASE WHEN :phone_given THEN :phone ELSE phone END,
            password = COALESCE(:password, password),
            tokens_valid_from = CASE
                WHEN :password IS NULL THEN tokens_valid_from
                ELSE MAX(tokens_valid_from, :seconds) + 1
            END,
            updated_at = :now
        WHERE id = :id AND (:password IS NULL OR password = :instead_of)
        RETURNING {COLUMNS}
        """,
        {
            "id": user_id,
            "name": changes.get("name"),
            "phone": changes.get("phone"),
            "phone_given": "phone" in changes,
            "password": password,
            "instead_of": instead_of,
            "seconds": clock.now(),
            "now": clock.text(clock.now()),
        },
    )
    if not updated:
        raise Unauthorized if password is None else Invalid(fields=WRONG_PASSWORD)
    return updated[0]


def make_admin(user_id: int) -> None:
    get_db().write(
        """
        UPDATE users
        SET role = 'admin', updated_at = :now
        WHERE id = :id
        """,
        {"id": user_id, "now": clock.text(clock.now())},
    )
