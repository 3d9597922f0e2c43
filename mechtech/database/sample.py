"""The sample data of seed.sql."""

from mechtech.database import get_db
from mechtech.database.file import run_script


def add(script: str, only_if_new: bool) -> bool:
    """All of it, or nothing if it is there; only_if_new: or if there is any other data. Was it added?"""

    def add_all(tx):
        there = tx.execute("SELECT 1 FROM users WHERE email = 'john@mechtech.example'").fetchone()
        used = tx.execute("SELECT 1 FROM users UNION ALL SELECT 1 FROM bookings LIMIT 1").fetchone()
        if there or (only_if_new and used):
            return False
        run_script(tx, script)
        return True

    return get_db().transaction(add_all)
