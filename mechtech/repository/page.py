"""Lists that come page by page, newest first; the last page costs what the first does."""

from mechtech.db import get_db

COUNTED = 10_000  # a total stops there
NEWEST = 2**63 - 1


def page(columns: str, table: str, filters: dict, before: int | None, limit: int) -> tuple[list[dict], int, int | None]:
    """Up to limit rows with ids below `before`, the total that match the filters, and where the next page begins.

    columns, table and the names of filters are constants of the repository; a filter that is None does not filter.
    """
    filters = {name: value for name, value in filters.items() if value is not None}
    where = "".join(f" AND {name} = :{name}" for name in filters)
    found = get_db().all(
        f"""
        SELECT {columns}
        FROM {table}
        WHERE id < :before{where}
        ORDER BY id DESC
        LIMIT :limit + 1
        """,
        {**filters, "before": before or NEWEST, "limit": limit},
    )
    more = len(found) > limit
    if before is None and not more:
        return found, len(found), None
    (counted,) = get_db().all(
        f"""
        SELECT COUNT(*) AS total
        FROM (SELECT 1 FROM {table} WHERE id < :newest{where} LIMIT {COUNTED})
        """,
        {**filters, "newest": NEWEST},
    )
    return found[:limit], counted["total"], found[limit - 1]["id"] if more else None
