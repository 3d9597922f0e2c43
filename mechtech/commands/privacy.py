"""The commands that make people's data anonymous."""

import click

from mechtech import clock, privacy
from mechtech.database import get_db
from mechtech.errors import NotFound
from mechtech.setting_checks import duration


@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask.")
def forget(email, yes):
    """Make all that there is about a person anonymous, by account and by address. Bookings stay as numbers."""
    person = privacy.find_person(email)
    found = _counts(privacy.find_about(get_db(), person))
    if not any(found.values()):
        raise NotFound(f"There is nothing about {person['email']}.")
    _confirm(f"{person['email']}: {_listed(found)}.", yes)
    click.echo(f"Forgotten: {_listed(_counts(privacy.forget(person)))}.")


@click.option("--older-than", required=True, type=duration, metavar="TIME", help="Such as 365d.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge(older_than, yes):
    """Make old bookings that have ended anonymous; delete old messages that were read, old mails, and expired keys."""
    before = clock.now() - older_than
    _confirm(f"From before {clock.text(before)}: {_listed(privacy.count_old(before))}.", yes)
    click.echo(f"Purged: {_listed(privacy.purge(before))}.")


def _confirm(shown: str, yes: bool) -> None:
    click.echo(shown)
    yes or click.confirm("This cannot be undone. Go on?", abort=True)


def _counts(ids: dict[str, list[int]]) -> dict[str, int]:
    return {kind: len(of_kind) for kind, of_kind in ids.items()}


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {kind}" for kind, number in counts.items())
