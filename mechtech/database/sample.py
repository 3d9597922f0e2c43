"""The sample data of seed.sql."""

from mechtech.database import Transaction, get_db


def add(script: str, only_if_new: bool) -> bool:
    """Whether it was added: all of it, or none if it is there. only_if_new: none beside other data either."""

    def add_all(tx: Transaction) -> bool:
        there = tx.one("SELECT 1 FROM users WHERE email = 'john@mechtech.example'")
        used = tx.one("SELECT 1 FROM users UNION ALL SELECT 1 FROM bookings LIMIT 1")
        if there or (only_if_new and used):
            return False
        tx.script(script)
        return True

    return get_db().transaction(add_all)
