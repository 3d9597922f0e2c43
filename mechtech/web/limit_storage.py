"""A storage of the `limits` library in one file, for the workers of one machine: `file:///path/to/the/file`."""

import fcntl
import os
import struct
import threading
import time
from hashlib import blake2b

from limits.storage import Storage

MAGIC = b"MechTECH limits\n"
HEADER, SLOTS, BUCKETS, HIGHEST = len(MAGIC) + 16, 64, 512, 2**32 - 1
SLOT = struct.Struct("<8sII")  # The key's hash, the count, and the second (since 1970) at which the window ends.
SIZE = HEADER + BUCKETS * SLOTS * SLOT.size


class FileStorage(Storage):
    """A hash table in a file that never grows: a header, then buckets of 64 slots, of which each holds one counter.

    The header has a salt, so that no client can choose keys of one bucket. In a full one a new key takes the slot with
    the lowest count. The file is not mapped, so that cutting it short does no harm, and is opened anew each second.
    """

    STORAGE_SCHEME, base_exceptions = ["file"], (OSError, ValueError)

    def __init__(self, uri: str, wrap_exceptions: bool = False, **_options: object) -> None:
        super().__init__(uri, wrap_exceptions)
        self._path, self._opened, self._lock = uri.removeprefix("file://"), 0, threading.Lock()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        return self._count(key, amount, expiry)[0]

    def get(self, key: str) -> int:
        return self._count(key)[0]

    def get_expiry(self, key: str) -> float:
        return self._count(key)[1]

    def check(self) -> bool:
        return self.get("") >= 0

    def reset(self) -> None:
        os.truncate(self._path, HEADER)  # other processes go on with the same salt

    def clear(self, key: str) -> None:
        self._count(key, -HIGHEST)

    def _count(self, key: str, amount: int = 0, expiry: int = 0) -> tuple[int, int]:
        """Add the amount, and return the count and the end of the window. A key without a window begins one."""
        with self._lock:  # a lock on the file keeps out other processes only
            if (now := int(time.time())) != self._opened:
                self._file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600), "rb", 0)
            file = self._file.fileno()
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                if now != self._opened:
                    header = os.pread(file, HEADER, 0)
                    if not header.strip(b"\0"):  # written whole, so that a disk that is full later stops no counting
                        os.pwrite(file, (header := MAGIC + os.urandom(HEADER - len(MAGIC))).ljust(SIZE, b"\0"), 0)
                    if not header.startswith(MAGIC):
                        raise ValueError(f"{self._path} is not a file of rate limits")
                    self._salt, self._opened = header[len(MAGIC) :], now
                name = blake2b(key.encode(), digest_size=8, key=self._salt).digest()
                start = HEADER + int.from_bytes(name[:4]) % BUCKETS * SLOTS * SLOT.size
                bucket = os.pread(file, SLOTS * SLOT.size, start).ljust(SLOTS * SLOT.size, b"\0")
                at = bucket.find(name)
                while at > 0 and at % SLOT.size:  # not the beginning of a slot
                    at = bucket.find(name, at + 1)
                count, ends = SLOT.unpack_from(bucket, at)[1:] if at >= 0 else (0, 0)
                if ends <= now or (expiry and ends > now + 2 * expiry):  # the latter was begun by a wrong clock
                    count, ends = 0, min(now + expiry, HIGHEST)
                count = max(0, min(count + amount, HIGHEST))
                if amount:
                    slots = enumerate(SLOT.iter_unpack(bucket))
                    at = at if at >= 0 else SLOT.size * min((n * (end > now), i) for i, (_, n, end) in slots)[1]
                    os.pwrite(file, SLOT.pack(name, count, ends), start + at)
                return count, ends
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)
