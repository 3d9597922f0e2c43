"""What gunicorn's master prepares for its workers: the sockets that they take connections from, and signals."""

import os
import resource
import signal
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

SILENCE_SECONDS = 20  # how long a client may neither send the rest of a body nor read its answer
FIRST_BYTES_SECONDS = 30  # until a client has sent something, its connection holds no thread
STOPS = signal.SIGTERM, signal.SIGINT, signal.SIGQUIT

hold_stops = partial(signal.pthread_sigmask, signal.SIG_BLOCK, STOPS)
let_stops_through = partial(signal.pthread_sigmask, signal.SIG_UNBLOCK, STOPS)


def prepare_sockets(listeners: Iterable[socket.socket]) -> None:
    """End connections whose client is silent for too long, and allow this process many of them.

    A connection inherits the options of the socket that listens.
    """
    with suppress(ValueError, OSError):  # each is an open file; not every system takes a higher limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    for listener in listeners:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            listener.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", SILENCE_SECONDS, 0))
        if hasattr(socket, "TCP_DEFER_ACCEPT") and listener.family in (socket.AF_INET, socket.AF_INET6):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, FIRST_BYTES_SECONDS)


def prepare_forks() -> None:
    """Have a worker end at once that is told to stop before it handles signals itself.

    It would run the master's handler, which puts the signal into a queue that no worker reads. The master asks once,
    and then waits 30 seconds for it, at a reload and at its own end.
    """
    os.register_at_fork(before=hold_stops, after_in_parent=let_stops_through, after_in_child=_end_by_stops)


def _end_by_stops() -> None:
    for number in STOPS:
        signal.signal(number, signal.SIG_DFL)
    let_stops_through()
