"""/api/auth: accounts, and the tokens they sign in with."""

from contextlib import suppress

from flask import Blueprint

from mechtech.accounts import repository, schemas
from mechtech.accounts.failed_logins import verify_login
from mechtech.accounts.schemas import NEW_TOKEN, TOKEN, User
from mechtech.errors import Invalid, InvalidCredentials, InvalidToken, RateLimited
from mechtech.mail.outbox import send_link
from mechtech.passwords import get_hasher
from mechtech.texts import address_key
from mechtech.web import request_log, tokens
from mechtech.web.answers import SENTENCE, gives
from mechtech.web.authentication import Caller, anyone, user
from mechtech.web.body import takes

DEAD_LINK = {"token": "This link is over or was used: please ask for another one."}  # nosec B105
WRONG_PASSWORD = {"currentPassword": "This is not your password."}

auth = Blueprint("auth", __name__, url_prefix="/api/auth")


@auth.post("/signup")
@takes(schemas.SignupBody)
@anyone
@gives(201, message=SENTENCE, token=TOKEN, user=User)
def signup(fields: dict) -> tuple[dict, int]:
    """Make an account."""
    account = repository.create(**{**fields, "password": get_hasher().hash(fields["password"])})
    request_log.name_account(account["id"])
    return {"message": "Welcome to MechTECH.", **_signed_in(account)}, 201


@auth.post("/login")
@takes(schemas.LoginBody)
@anyone
@gives(200, InvalidCredentials, RateLimited, message=SENTENCE, token=TOKEN, user=User)
def login(fields: dict) -> dict:
    """Sign in."""
    account = repository.find_by_address(fields["email"])
    if account is not None:
        request_log.name_account(account["id"])
    if not verify_login(fields["password"], fields["email"], account and account["password"]):
        raise InvalidCredentials(fields={"password": "Wrong, or there is no such account."})  # nosec B105
    if get_hasher().is_outdated(account["password"]):
        hashed = get_hasher().hash(fields["password"])
        repository.update(account["id"], {"password": hashed}, instead_of=account["password"])
    return {"message": "Welcome back.", **_signed_in(account)}


@auth.get("/profile")
@user
@gives(user=User)
def show_profile(caller: Caller) -> dict:
    """Show one's own account."""
    return {"user": _shown(caller.user)}


@auth.put("/profile")
@takes(schemas.ProfileBody)
@user
@gives(message=SENTENCE, user=User, token=NEW_TOKEN)
def update_profile(fields: dict, caller: Caller) -> dict:
    """Change one's own name, phone or password."""
    current, new = fields.pop("current_password", None), fields.pop("password", None)
    old = caller.user["password"]
    if new is None:
        account = repository.update(caller.user_id, fields, instead_of=old)
        if account is None:  # forgotten meanwhile, or given a new password, which ends the token
            raise InvalidToken
        return {"message": "Your profile is saved.", "user": _shown(account)}
    if not verify_login(current, caller.user["email"], old):
        raise Invalid(fields=WRONG_PASSWORD)
    account = repository.update(caller.user_id, fields | _hashed(new), instead_of=old)
    if account is None:
        raise Invalid(fields=WRONG_PASSWORD)
    return {"message": "Your new password is set.", **_signed_in(account)}


@auth.post("/logout")
@user
@gives(message=SENTENCE)
def logout(caller: Caller) -> dict:
    """End every token of the account."""
    repository.update(caller.user_id, repository.new_key())
    return {"message": "You are signed out everywhere."}


@auth.post("/forgot")
@takes(schemas.ForgotBody)
@anyone
@gives(202, message=SENTENCE)
def forgot(fields: dict) -> tuple[dict, int]:
    """Mail a link for a new password.

    The answer is the same, in the same time, whether there is an account or not.
    """
    account = repository.find_by_address(fields["email"])
    content = account and {"email": account["email"], "account_id": account["id"], "key": repository.reset_key(account)}
    send_link("reset", address_key(fields["email"]), content)
    return {"message": "If there is an account with this address, a link for a new password is on its way."}, 202


@auth.post("/reset")
@takes(schemas.ResetBody)
@anyone
@gives(message=SENTENCE, token=TOKEN, user=User)
def reset(fields: dict) -> dict:
    """Set a new password with the token of a link."""
    account = _account_of_link(fields["token"])
    request_log.name_account(account["id"])
    account = repository.update(account["id"], _hashed(fields["password"]), instead_of=account["password"])
    if account is None:
        raise Invalid(fields=DEAD_LINK)
    return {"message": "Your new password is set.", **_signed_in(account)}


def _account_of_link(token: str) -> dict:
    """Raises Invalid for a token that is over, used or none of ours."""
    with suppress(ValueError):
        claims = tokens.read_signed(token, {"resetId", "key", "exp"})
        account = repository.find(claims["resetId"])
        if account is not None and claims["key"] == repository.reset_key(account):
            return account
    raise Invalid(fields=DEAD_LINK)


def _hashed(password: str) -> dict:
    return repository.new_password(get_hasher().hash(password))


def _signed_in(account: dict) -> dict:
    return {"token": tokens.for_user(account), "user": _shown(account)}


def _shown(account: dict) -> dict:
    return {name: account[name] for name in ("id", "name", "email", "phone", "role", "created_at", "updated_at")}
