"""The commands for accounts: making admins, and helping people in."""

import sys

import click

from mechtech.accounts import repository
from mechtech.accounts.schemas import Confirmed, Signup
from mechtech.passwords import hash_password


@click.argument("email")
@click.option("--name", default="Administrator", show_default=True)
@click.option("--existing", is_flag=True, help="Make an account that exists the admin, with a new password.")
def create_admin(email, name, existing):
    """Make an admin: a new account, or with --existing one that there is."""
    account = repository.find_login(email)
    if account is None and existing:
        raise click.ClickException(f"There is no account {email}.")
    if account is not None:
        shown = f"{account['email']} is an account of {account['name']!r}, made {account['created_at']}"
        if not existing:
            raise click.ClickException(f"{shown}. If it is to be the admin, with a new password, add --existing.")
        click.echo(f"{shown}.")
        _set_password(account)
        repository.make_admin(account["id"])
        click.echo(f"{account['email']} is an admin now, with a new password; its sessions have ended.")
        return
    fields = _valid(Signup, name=name, email=email, password=_ask_password())
    account = repository.create(
        name=fields["name"],
        email=fields["email"],
        phone=None,
        password=hash_password(fields["new_password"]),
        role="admin",
    )
    click.echo(f"{account['email']} is a new admin.")


@click.argument("email")
def reset_password(email):
    """Give an account a new password; its tokens end."""
    account = repository.find_login(email)
    if account is None:
        raise click.ClickException(f"There is no account {email}.")
    _set_password(account)
    click.echo(f"{account['email']} has a new password; its sessions have ended.")


def _set_password(account: dict) -> None:
    fields = _valid(Confirmed, password=_ask_password())
    new_password = hash_password(fields["new_password"])
    if repository.set_password(account["id"], new_password, instead_of=account["password"]) is None:
        raise click.ClickException("The password was changed meanwhile. Nothing was done.")


def _ask_password() -> str:
    """Twice and without echo on a terminal; else a line of standard input."""
    if sys.stdin.isatty():
        return click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return sys.stdin.readline().rstrip("\r\n")


def _valid(schema, **fields) -> dict:
    valid, wrong = schema().read(fields)
    if wrong:
        raise click.ClickException(" ".join(f"{name}: {text}" for name, text in wrong.items()))
    return valid
