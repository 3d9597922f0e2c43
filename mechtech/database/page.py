"""Lists that come page by page, newest first; the last page costs what the first does."""

from mechtech.database import get_db
from mechtech.encoding import JSONText

COUNTED = 10_000  # a total stops there
NEWEST = 2**63 - 1
# SQLite writes a REAL with 15 digits into JSON. Where that is another number, it takes 17.
PLACE = {
    name: f"""CASE
        WHEN {name} IS NULL OR CAST(printf('%!.15g', {name}) AS REAL) = {name} THEN {name}
        ELSE json(printf('%!.17g', {name}))
    END"""
    for name in ("latitude", "longitude")
}


def json_row(columns: str, **computed: str) -> str:
    """SQL for a row as JSON: each column under its name, what is computed by its SQL."""
    named = {name.strip(): name for name in columns.split(",")} | computed
    return f"json_object({', '.join(f'{name!r}, {sql}' for name, sql in named.items())})"


def page(row: str, table: str, filters: dict, before: int | None, limit: int) -> tuple[JSONText, int, int | None]:
    """Up to limit rows with ids below `before`, the total that match the filters, and below which id the next begin.

    row, of json_row(), table and the names of filters are constants of the repository. None as a filter is none.
    SQLite writes the rows as JSON itself: in one step, while other threads run, instead of a step and a dict a row.
    """
    filters = {name: value for name, value in filters.items() if value is not None}
    where = "".join(f" AND {name} = :{name}" for name in filters)
    found = get_db().one(
        f"""
        SELECT rows, last, (
            SELECT COUNT(*) FROM (SELECT 1 FROM {table} WHERE id < {NEWEST}{where} LIMIT {COUNTED})
        ) AS total, EXISTS (
            SELECT 1 FROM {table} WHERE id < last{where}
        ) AS more
        FROM (
            SELECT json_group_array({row}) AS rows, MIN(id) AS last
            FROM (
                SELECT *
                FROM {table}
                WHERE id < :before{where}
                ORDER BY id DESC
                LIMIT :limit
            )
        )
        """,
        {**filters, "before": before or NEWEST, "limit": limit},
    )
    return JSONText(found["rows"]), found["total"], found["last"] if found["more"] else None
