"""The commands for accounts: making admins, helping people in, and ending what they may do."""

import sys

import click

from mechtech.accounts import failed_logins, repository
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
        repository.set_role(account["id"], "admin")
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
    account = _find(email)
    _set_password(account)
    click.echo(f"{account['email']} has a new password; its sessions have ended.")


def accounts():
    """List the accounts."""
    for account in repository.list_all():
        click.echo("{id:>8}  {role:<8}  {created_at}  {email}  {name}".format(**account))


@click.argument("email")
def end_sessions(email):
    """Sign an account out everywhere: every token that it has ends."""
    account = _find(email)
    repository.end_tokens(account["id"])
    click.echo(f"The sessions of {account['email']} have ended.")


@click.argument("email")
def unlock(email):
    """Let an account sign in that was refused after failed logins."""
    account = _find(email)
    failed_logins.unlock(account["email"])
    click.echo(f"The failed logins of {account['email']} do not count any more.")


@click.argument("email")
def remove_admin(email):
    """Make an admin a customer."""
    account = _find(email)
    if account["role"] != "admin":
        raise click.ClickException(f"{account['email']} is no admin.")
    repository.set_role(account["id"], "customer")
    click.echo(f"{account['email']} is a customer now.")
    if not any(other["role"] == "admin" for other in repository.list_all()):
        click.echo("There is no admin any more: create-admin makes one.")


def _find(email: str) -> dict:
    account = repository.find_login(email)
    if account is None:
        raise click.ClickException(f"There is no account {email}.")
    return account


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
