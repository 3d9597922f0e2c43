"""Lists that come page by page, newest first; the last page costs what the first does."""

from typing import NamedTuple

from mechtech.database import Transaction, get_db

COUNTED = 10_000  # a total stops there


class Position(NamedTuple):
    """The row that a page ends with, and the next one begins after."""

    created_at: str
    id: int


def page(
    select: str,
    table: str,
    conditions: dict[str, str],
    filters: dict,
    after: Position | None,
    limit: int,
    oldest_first: bool = False,
) -> tuple[list[dict], int, Position | None]:
    """Up to limit rows, how many match the filters, and the position of the next page, or None at the end.

    select, table and conditions are constants of the repository. filters has a value for each condition by its name;
    None asks for nothing. The page and its total are read from one state of the database.
    """
    filters = {name: value for name, value in filters.items() if value is not None}
    asked = [conditions[name] for name in filters]
    order, beyond = ("ASC", ">") if oldest_first else ("DESC", "<")
    begun = [f"({table}.created_at, {table}.id) {beyond} (:after_time, :after_id)"] if after else []
    position = {"after_time": after.created_at, "after_id": after.id} if after else {}

    def read(tx: Transaction) -> tuple[list[dict], int]:
        rows = tx.all(
            f"""
            {select}
            WHERE {" AND ".join(["TRUE", *asked, *begun])}
            ORDER BY {table}.created_at {order}, {table}.id {order}
            LIMIT :limit
            """,
            {**filters, **position, "limit": limit + 1},
        )
        if not after and len(rows) <= limit:
            return rows, len(rows)
        counted = tx.one(
            f"""
            SELECT COUNT(*) AS total
            FROM (SELECT 1 FROM {table} WHERE {" AND ".join(["TRUE", *asked])} LIMIT {COUNTED}) AS counted
            """,
            filters,
        )
        return rows, counted["total"]

    rows, total = get_db().snapshot(read)
    shown = rows[:limit]
    return shown, total, Position(shown[-1]["created_at"], shown[-1]["id"]) if len(rows) > limit else None
