"""/api/auth: accounts, and the tokens they sign in with."""

from contextlib import suppress

from flask import Blueprint

from mechtech.accounts import repository
from mechtech.accounts.answers import Account, AccountSaved, SignedIn
from mechtech.accounts.failed_logins import verify_login
from mechtech.accounts.schemas import Forgot, Login, Profile, Reset, Signup
from mechtech.errors import Invalid, InvalidCredentials, InvalidToken, RateLimited
from mechtech.mail.outbox import send_link
from mechtech.passwords import get_hasher, hash_password
from mechtech.texts import address_key
from mechtech.web import request_log, tokens
from mechtech.web.answers import Posted, Told, gives
from mechtech.web.authentication import Caller, anyone, user
from mechtech.web.body import takes

auth = Blueprint("auth", __name__, url_prefix="/api/auth")


@auth.post("/signup")
@takes(Signup)
@anyone
@gives(SignedIn, 201)
def signup(fields: dict) -> tuple[dict, int]:
    """Make an account."""
    password = hash_password(fields.pop("new_password"))
    account = repository.create(**fields, password=password)
    request_log.name_account(account["id"])
    return {"message": "Welcome to MechTECH.", **_signed_in(account)}, 201


@auth.post("/login")
@takes(Login)
@anyone
@gives(SignedIn, refusals=(InvalidCredentials, RateLimited))
def login(fields: dict) -> dict:
    """Sign in."""
    account = repository.find_login(fields["email"])
    if account is not None:
        request_log.name_account(account["id"])
    if not verify_login(fields["password"], fields["email"], account and account["password"]):
        raise InvalidCredentials(fields={"password": "Wrong, or there is no such account."})  # nosec B105
    if get_hasher().is_outdated(account["password"]):
        repository.rehash(account["id"], hash_password(fields["password"]), instead_of=account["password"])
    return {"message": "Welcome back.", **_signed_in(account)}


@auth.get("/profile")
@user
@gives(Account)
def show_profile(caller: Caller) -> dict:
    """Show one's own account."""
    return {"user": _shown(caller.user)}


@auth.put("/profile")
@takes(Profile)
@user
@gives(AccountSaved)
def update_profile(fields: dict, caller: Caller) -> dict:
    """Change one's own name, phone or password."""
    new_password = fields.pop("new_password", None)
    if new_password is None:
        return {"message": "Your profile is saved.", "user": _shown(repository.update(caller.user_id, fields))}
    account = repository.find_login(caller.user["email"])
    if account is None:  # deleted meanwhile
        raise InvalidToken
    old = account["password"]
    if not verify_login(fields.pop("current_password"), account["email"], old):
        raise Invalid(fields=repository.WRONG_PASSWORD)
    account = repository.set_password(caller.user_id, hash_password(new_password), instead_of=old, changes=fields)
    if account is None:
        raise Invalid(fields=repository.WRONG_PASSWORD)
    return {"message": "Your new password is set.", **_signed_in(account)}


@auth.post("/logout")
@user
@gives(Told)
def logout(caller: Caller) -> dict:
    """End every token of the account."""
    repository.end_tokens(caller.user_id)
    return {"message": "You are signed out everywhere."}


@auth.post("/forgot")
@takes(Forgot)
@anyone
@gives(Posted, 202)
def forgot(fields: dict) -> tuple[dict, int]:
    """Mail a link for a new password.

    The answer is the same, in the same time, whether there is an account or not.
    """
    account = repository.find_login(fields["email"])
    content = account and {"email": account["email"], "account_id": account["id"], "key": repository.reset_key(account)}
    send_link("reset", address_key(fields["email"]), content)
    return {"message": "If there is an account with this address, a link for a new password is on its way."}, 202


@auth.post("/reset")
@takes(Reset)
@anyone
@gives(SignedIn)
def reset(fields: dict) -> dict:
    """Set a new password with the token of a link."""
    account = _account_of_link(fields["token"])
    request_log.name_account(account["id"])
    new = hash_password(fields["new_password"])
    changed = repository.set_password(account["id"], new, instead_of=account["password"])
    if changed is None:
        raise Invalid(fields=repository.DEAD_LINK)
    return {"message": "Your new password is set.", **_signed_in(changed)}


def _account_of_link(token: str) -> dict:
    """Raises Invalid for a token that is over, used or none of ours."""
    with suppress(ValueError):
        claims = tokens.read_reset(token)
        account = repository.find_with_password(claims["resetId"])
        if account is not None and claims["key"] == repository.reset_key(account):
            return account
    raise Invalid(fields=repository.DEAD_LINK)


def _signed_in(account: dict) -> dict:
    return {"token": tokens.for_user(account), "user": _shown(account)}


def _shown(account: dict) -> dict:
    return {name: account[name] for name in ("id", "name", "email", "phone", "role", "created_at", "updated_at")}
