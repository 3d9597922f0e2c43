"""The sample data of seed.sql."""

from sqlite3 import complete_statement

from mechtech.db import get_db


def add(script: str, only_if_new: bool) -> bool:
    """All of it, or nothing if it is there; only_if_new: or if there is any other data. Was it added?"""
    with get_db().transaction() as tx:
        there = tx.execute("SELECT 1 FROM users WHERE email = 'john@mechtech.example'").fetchone()
        used = tx.execute("SELECT 1 FROM users UNION ALL SELECT 1 FROM bookings LIMIT 1").fetchone()
        if there or (only_if_new and used):
            return False
        statement = ""
        for line in script.splitlines(keepends=True):  # executescript() would end the transaction
            statement += line
            if complete_statement(statement):
                tx.execute(statement)
                statement = ""
        return True
