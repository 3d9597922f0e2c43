"""/api/auth: accounts, and the tokens they sign in with."""

from flask import Blueprint

from mechtech.accounts import repository
from mechtech.accounts.failed_logins import verify_login
from mechtech.accounts.schemas import Login, Profile, Signup
from mechtech.errors import Invalid, InvalidCredentials, InvalidToken
from mechtech.passwords import get_hasher, hash_password
from mechtech.web import request_log, tokens
from mechtech.web.authentication import Caller, anyone, user
from mechtech.web.body import takes

auth = Blueprint("auth", __name__, url_prefix="/api/auth")


@auth.post("/signup")
@takes(Signup)
@anyone
def signup(fields: dict) -> tuple[dict, int]:
    password = hash_password(fields.pop("new_password"))
    account = repository.create(**fields, password=password)
    request_log.name_account(account["id"])
    return {"message": "Welcome to MechTECH.", **_signed_in(account)}, 201


@auth.post("/login")
@takes(Login)
@anyone
def login(fields: dict) -> dict:
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
def show_profile(caller: Caller) -> dict:
    return {"user": _shown(caller.user)}


@auth.put("/profile")
@takes(Profile)
@user
def update_profile(fields: dict, caller: Caller) -> dict:
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
def logout(caller: Caller) -> dict:
    repository.end_tokens(caller.user_id)
    return {"message": "You are signed out everywhere."}


def _signed_in(account: dict) -> dict:
    return {"token": tokens.for_user(account), "user": _shown(account)}


def _shown(account: dict) -> dict:
    return {name: account[name] for name in ("id", "name", "email", "phone", "role", "created_at", "updated_at")}
