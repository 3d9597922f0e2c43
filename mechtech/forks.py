"""What the processes need that gunicorn's master forks, from their first moment."""

import os
import signal

STOPS = signal.SIGTERM, signal.SIGINT, signal.SIGQUIT


def prepare_forks() -> None:
    """Have a worker end at once that is told to stop before it handles signals itself.

    It would run the master's handler, which puts the signal into a queue that no worker reads. The master asks once,
    and then waits 30 seconds for it, at a reload and at its own end.
    """
    os.register_at_fork(before=_hold_stops, after_in_parent=_let_stops_through, after_in_child=_end_by_stops)


def _hold_stops() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)


def _let_stops_through() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


def _end_by_stops() -> None:
    for number in STOPS:
        signal.signal(number, signal.SIG_DFL)
    _let_stops_through()
