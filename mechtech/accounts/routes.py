"""/api/auth: accounts, and the tokens they sign in with."""

from flask import Blueprint

from mechtech import clock
from mechtech.accounts import repository
from mechtech.accounts.failed_logins import is_password
from mechtech.accounts.schemas import Login, Profile, Signup
from mechtech.errors import Invalid, InvalidCredentials, Unauthorized
from mechtech.passwords import hash_password
from mechtech.web import tokens
from mechtech.web.authentication import anyone, user
from mechtech.web.body import takes

auth = Blueprint("auth", __name__, url_prefix="/api/auth")


@auth.post("/signup")
@takes(Signup)
@anyone
def signup(fields, caller):
    password = hash_password(fields.pop("new_password"))
    account = repository.create(**fields, password=password)
    return {"message": "Welcome to MechTECH.", **_signed_in(account, clock.now())}, 201


@auth.post("/login")
@takes(Login)
@anyone
def login(fields, caller):
    now = clock.now()  # before the hash is read: a password changed after that ends this token too
    account = repository.find_login(fields["email"])
    if not is_password(fields["password"], fields["email"], account and account.pop("password")):
        raise InvalidCredentials(fields={"password": "Wrong, or there is no such account."})  # nosec B105
    return {"message": "Welcome back.", **_signed_in(account, now)}


@auth.get("/profile")
@user
def show_profile(caller):
    return {"user": _shown(caller.user)}


@auth.put("/profile")
@takes(Profile)
@user
def update_profile(fields, caller):
    new_password = fields.pop("new_password", None)
    if new_password is None:
        account = repository.update(caller.user["id"], fields)
        return {"message": "Your profile is saved.", "user": _shown(account)}
    account = repository.find_login(caller.user["email"])
    if account is None:  # deleted this moment
        raise Unauthorized
    old = account["password"]
    if not is_password(fields.pop("current_password"), caller.user["email"], old):
        raise Invalid(fields=repository.WRONG_PASSWORD)
    account = repository.update(caller.user["id"], fields, password=hash_password(new_password), instead_of=old)
    # Of the moment of the change: another change since then ends this token too.
    return {"message": "Your new password is set.", **_signed_in(account, account["tokens_valid_from"])}


def _signed_in(account: dict, now: int) -> dict:
    return {"token": tokens.for_user(account, now), "user": _shown(account)}


def _shown(account: dict) -> dict:
    return {name: value for name, value in account.items() if name != "tokens_valid_from"}
