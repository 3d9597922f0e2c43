"""What the parts of the service tell about their work, by blinker's signals, as Flask does.

Without a receiver a signal does nothing. A receiver gets the sender first, as it is named here.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from blinker import Signal

limit_refused = Signal("From the name of a limit, when it refuses a request: requests, failed_logins or links.")
login_failed = Signal("A wrong password, or an address without an account.")
group_committed = Signal("From the writer, for each group commit. writes: how many shared it.")
waiting_changed = Signal("From the name of a queue: writer or connections. change: 1, or -1.")


@contextmanager
def waiting(queue: str) -> Iterator[None]:
    """Something waits in this queue, for as long as the block lasts."""
    waiting_changed.send(queue, change=1)
    try:
        yield
    finally:
        waiting_changed.send(queue, change=-1)
