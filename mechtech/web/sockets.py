"""What the sockets of gunicorn need: connections inherit the options of the one that listens."""

import contextlib
import resource
import socket
import struct
from collections.abc import Iterable

SILENCE_SECONDS = 20  # how long a client may neither send the rest of a body nor read its answer
FIRST_BYTES_SECONDS = 30  # until a client has sent something, its connection holds no thread


def prepare_sockets(listeners: Iterable[socket.socket]) -> None:
    """End connections whose client is silent for too long, and allow this process many of them."""
    with contextlib.suppress(ValueError, OSError):  # each is an open file; not every system takes a higher limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    for listener in listeners:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            listener.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", SILENCE_SECONDS, 0))
        if hasattr(socket, "TCP_DEFER_ACCEPT") and listener.family in (socket.AF_INET, socket.AF_INET6):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, FIRST_BYTES_SECONDS)
