"""The commands for accounts: making admins, helping people in, and ending what they may do."""

import sys

import click

from mechtech.accounts import failed_logins, repository
from mechtech.accounts.schemas import ConfirmedBody, SignupBody
from mechtech.errors import Conflict, Invalid, NotFound
from mechtech.passwords import get_hasher


@click.argument("email")
@click.option("--name", default="Administrator", show_default=True)
@click.option("--existing", is_flag=True, help="Make an account that exists the admin, with a new password.")
def create_admin(email, name, existing):
    """Make an admin: a new account, or with --existing one that there is."""
    if existing:
        account = _find(email)
        click.echo(_shown(account))
        _set_password(account, role="admin")
        click.echo(f"{account['email']} is an admin now, with a new password; its sessions have ended.")
    elif account := repository.find_by_address(email):
        raise Conflict(f"{_shown(account)} If it is to be the admin, with a new password, add --existing.")
    else:
        fields = _valid(SignupBody, name=name, email=email)
        password = get_hasher().hash(fields.pop("password"))
        account = repository.create(**fields, password=password, role="admin")
        click.echo(f"{account['email']} is a new admin.")


@click.argument("email")
def remove_admin(email):
    """Make an admin a customer."""
    account = _find(email)
    if account["role"] != "admin":
        raise Conflict(f"{account['email']} is no admin.")
    repository.update(account["id"], {"role": "customer"})
    click.echo(f"{account['email']} is a customer now.")
    if not any(other["role"] == "admin" for other in repository.list_all()):
        click.echo("There is no admin any more: create-admin makes one.")


def accounts():
    """List the accounts."""
    for account in repository.list_all():
        click.echo("{id:>8}  {role:<8}  {created_at}  {email}  {name}".format(**account))


@click.argument("email")
def reset_password(email):
    """Give an account a new password; its tokens end."""
    account = _find(email)
    _set_password(account)
    click.echo(f"{account['email']} has a new password; its sessions have ended.")


@click.argument("email")
def end_sessions(email):
    """Sign an account out everywhere: every token that it has ends."""
    account = _find(email)
    repository.update(account["id"], repository.new_key())
    click.echo(f"The sessions of {account['email']} have ended.")


@click.argument("email")
def unlock(email):
    """Let an account sign in that was refused after failed logins."""
    account = _find(email)
    failed_logins.unlock(account["email"])
    click.echo(f"The failed logins of {account['email']} do not count any more.")


def _find(email: str) -> dict:
    account = repository.find_by_address(email)
    if account is None:
        raise NotFound(f"There is no account {email}.")
    return account


def _shown(account: dict) -> str:
    return f"{account['email']} is an account of {account['name']!r}, made {account['created_at']}."


def _set_password(account: dict, **changes: str) -> None:
    changes |= repository.new_password(get_hasher().hash(_valid(ConfirmedBody)["password"]))
    if repository.update(account["id"], changes, instead_of=account["password"]) is None:
        raise Conflict("The password was changed meanwhile. Nothing was done.")


def _valid(schema, **fields) -> dict:
    """The fields with a password: asked for twice and without echo on a terminal; else a line of standard input."""
    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    valid, wrong = schema().read({**fields, "password": password})
    if wrong:
        raise Invalid(fields=wrong)
    return valid
