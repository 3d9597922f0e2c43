"""Lists that come page by page, newest first; the last page costs what the first does."""

from mechtech.database import get_db

COUNTED = 10_000  # a total stops there
NEWEST = 2**63 - 1


def page(columns: str, table: str, filters: dict, before: int | None, limit: int) -> tuple[list[dict], int, int | None]:
    """Up to limit rows with ids below `before`, the total that match the filters, and the cursor of the next page.

    columns, table and the names of filters are constants of the repository. A filter that is None asks for nothing.
    The page and its total are read from one state of the database.
    """
    filters = {name: value for name, value in filters.items() if value is not None}
    where = "".join(f" AND {name} = :{name}" for name in filters)

    def read(tx) -> tuple[list[dict], int]:
        rows = tx.all(
            f"""
            SELECT {columns}
            FROM {table}
            WHERE id < :before{where}
            ORDER BY id DESC
            LIMIT :limit
            """,
            {**filters, "before": before or NEWEST, "limit": limit + 1},
        )
        counted = tx.one(
            f"""
            SELECT COUNT(*) AS total
            FROM (SELECT 1 FROM {table} WHERE id < {NEWEST}{where} LIMIT {COUNTED}) AS counted
            """,
            filters,
        )
        return rows, counted["total"]

    rows, total = get_db().snapshot(read)
    following = rows[limit - 1]["id"] if len(rows) > limit else None
    return rows[:limit], total, following
