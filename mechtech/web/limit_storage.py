"""A storage of the `limits` library in one file, for the workers of one machine: `file:///path/to/the/file`.

A hash table in a file: a header, then buckets of 64 slots. A key hashes to one bucket, and a slot holds one counter.
"""

import fcntl
import os
import struct
import time
from hashlib import blake2b
from urllib.parse import unquote_to_bytes, urlsplit

from limits.storage import Storage

MAGIC = b"MechTECH limits\n"
HEADER = len(MAGIC) + 16  # The rest is random and keys the hash, so that nobody can choose keys of one bucket.
SLOT = struct.Struct("<8sII")  # The key's hash, the count, and the second (since 1970) at which the window ends.
SLOTS, BUCKETS = 64, 512
BUCKET = SLOTS * SLOT.size
HIGHEST = 2**32 - 1


class FileStorage(Storage):
    """Counts exactly over threads and processes, and over a restart. The file never grows beyond its table.

    When a bucket is full of windows that have not ended, a new key takes the slot with the lowest count. Each count
    opens the file anew, so a fork, or a file that is replaced or cut short, does no harm.
    """

    STORAGE_SCHEME = ["file"]
    base_exceptions = (OSError, ValueError)

    def __init__(self, uri: str, wrap_exceptions: bool = False, **_options: object) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        self._path = os.fsdecode(unquote_to_bytes(urlsplit(uri).path))

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        return self._count(key, amount, expiry)[0]

    def get(self, key: str) -> int:
        return self._count(key)[0]

    def get_expiry(self, key: str) -> float:
        return self._count(key)[1]

    def check(self) -> bool:
        return self.get("") >= 0

    def reset(self) -> None:
        os.truncate(self._path, 0)

    def clear(self, key: str) -> None:
        self._count(key, -HIGHEST)

    def _count(self, key: str, amount: int = 0, expiry: int = 0) -> tuple[int, int]:
        """Add the amount, and return the count and the end of the window. A key without a window begins one."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)  # Closing the file unlocks it.
            header = os.pread(file, HEADER, 0)
            if not header.strip(b"\0"):
                os.pwrite(file, header := MAGIC + os.urandom(HEADER - len(MAGIC)), 0)
            if not header.startswith(MAGIC):
                raise ValueError(f"{self._path} is not a file of rate limits")
            name = blake2b(key.encode(), digest_size=8, key=header[len(MAGIC) :]).digest()
            start, now = HEADER + int.from_bytes(name[:4]) % BUCKETS * BUCKET, int(time.time())
            slots = list(SLOT.iter_unpack(os.pread(file, BUCKET, start).ljust(BUCKET, b"\0")))
            found = next((at for at, slot in enumerate(slots) if slot[0] == name), None)
            at = min(range(SLOTS), key=lambda at: slots[at][1] * (slots[at][2] > now)) if found is None else found
            count, ends = slots[at][1:] if found is not None else (0, 0)
            # A window that ends later than any could was begun while the clock was wrong.
            if ends <= now or (expiry and ends > now + 2 * expiry):
                count, ends = 0, min(now + expiry, HIGHEST)
            count = max(0, min(count + amount, HIGHEST))
            if amount:
                os.pwrite(file, SLOT.pack(name, count, ends), start + at * SLOT.size)
            return count, ends
        finally:
            os.close(file)
