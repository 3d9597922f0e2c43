"""The commands of `flask --app wsgi`: making tables and sample data, and helping people in."""

import sys
from pathlib import Path

import click
from flask import Flask, current_app

from mechtech.accounts import repository
from mechtech.accounts.schemas import Confirmed, Signup
from mechtech.database import get_db, sample
from mechtech.passwords import hash_password

SEED = Path(__file__).parent.parent / "seed.sql"


def init_app(app: Flask) -> None:
    for command in (init_db, seed, create_admin, reset_password):
        app.cli.command()(command)


def init_db():
    """Make the tables that are missing."""
    get_db().make()
    click.echo(f"The tables are there: {get_db().path}")


@click.option("--if-new", is_flag=True, help="Only into a database without users and bookings.")
def seed(if_new):
    """Add the sample data; a second time adds nothing."""
    if current_app.config["settings"].production:
        raise click.ClickException("Sample data has no place in production.")
    added = sample.add(SEED.read_text(encoding="utf-8"), only_if_new=if_new)
    click.echo("The sample data is added." if added else "Nothing added: the data is there already.")


@click.argument("email")
@click.option("--name", default="Administrator", show_default=True)
def create_admin(email, name):
    """Make an admin: a new user, or one that there is."""
    account = repository.find_login(email)
    if account is not None:
        repository.make_admin(account["id"])
        click.echo(f"{account['email']} is an admin now; the password stays as it is.")
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
    """Give a user a new password; their tokens end."""
    account = repository.find_login(email)
    if account is None:
        raise click.ClickException(f"There is no user {email}.")
    fields = _valid(Confirmed, password=_ask_password())
    new_password = hash_password(fields["new_password"])
    repository.update(account["id"], {}, password=new_password, instead_of=account["password"])
    click.echo(f"{account['email']} has a new password; whoever was signed in is not any more.")


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
