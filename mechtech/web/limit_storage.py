"""Where the limits count: a storage of the library `limits`, in a file beside the database that every process maps.

SQLite can do it too, but as the one write of a request that reads it cost the whole service a fifth of its speed.

The file is a head and one or more floors of buckets. Whatever is counted has its bucket, the same on each floor, and
lies on any of them. A floor is added when a bucket is full of windows that are not over; so that nobody can choose
names that fall into one bucket, the hash is keyed.
"""

import fcntl
import mmap
import os
import struct
import threading
import time
from functools import lru_cache
from hashlib import blake2b

from limits.storage import Storage

MAGIC = b"MechTECH limits\n"
SALT = 16  # random bytes: the hash's key, after the magic ones
HEAD = len(MAGIC) + SALT
SLOT = struct.Struct("<8sII")  # what is counted, as a hash; how often; until when, in seconds since 1970
BUCKET = 64 * SLOT.size  # bytes
BUCKETS = 512
FLOOR = BUCKETS * BUCKET  # half a MiB: room for some 20,000 addresses at a time
HIGHEST = 2**32 - 1


class FileStorage(Storage):
    """Exact across threads and processes, and still there after a restart. Its process must not fork once it counted.

    A file that is moved or removed is noticed within a second, and a new one begun. Errors are StorageError.
    """

    STORAGE_SCHEME = None
    base_exceptions = (OSError, ValueError)

    def __init__(self, path: str):
        super().__init__(wrap_exceptions=True)
        self._path = path
        self._threads = threading.Lock()  # the lock on the file tells only processes apart
        self._file = self._map = self._salt = None
        self._looked_at = 0  # the second in which the path was looked at last
        self._last = threading.local()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        count, expires_at = self._count(key, amount, expiry)
        self._last.expiry = key, expires_at
        return count

    def get(self, key: str) -> int:
        return self._count(key)[0]

    def get_expiry(self, key: str) -> float:
        last, expires_at = getattr(self._last, "expiry", (None, None))
        if key == last and expires_at > time.time():  # incr() came just before, and read it
            return expires_at
        return self._count(key)[1]

    def check(self) -> bool:
        self.get("")
        return True

    def reset(self) -> None:
        self.get("")
        self._map[HEAD:] = bytes(len(self._map) - HEAD)

    def clear(self, key: str) -> None:
        self._count(key, -HIGHEST)

    def _count(self, key: str, amount: int = 0, expiry: int = 0) -> tuple[int, int]:
        """How often with this amount, and until when. A window begins where none is, and lasts for expiry seconds."""
        with self._threads:
            now = int(time.time())
            if self._map is None or now != self._looked_at:
                self._look()
                self._looked_at = now
            name = _hashed(key, self._salt)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                at = self._find(name, now)
                _, count, expires_at = SLOT.unpack_from(self._map, at)
                if expires_at <= now or (amount and expires_at > now + 2 * expiry):  # the clock was wrong by then
                    count, expires_at = 0, min(now + expiry, HIGHEST)
                count = max(0, min(count + amount, HIGHEST))
                if amount:
                    SLOT.pack_into(self._map, at, name, count, expires_at)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        return count, expires_at

    def _find(self, name: bytes, now: int) -> int:
        """Where its slot is, or one whose window is over."""
        bucket = HEAD + int.from_bytes(name[:4]) % BUCKETS * BUCKET
        floors = range(bucket, len(self._map) - BUCKET + 1, FLOOR)
        for start in floors:
            at = self._map.find(name, start, start + BUCKET)
            while at != -1 and (at - start) % SLOT.size:  # it happens to stand across other fields
                at = self._map.find(name, at + 1, start + BUCKET)
            if at != -1:
                return at
        size = os.fstat(self._file).st_size
        if size > len(self._map):  # another process has added a floor
            self._map = mmap.mmap(self._file, size)
            return self._find(name, now)
        for start in reversed(floors):  # the last one has most room
            for at in range(start, start + BUCKET, SLOT.size):
                if SLOT.unpack_from(self._map, at)[2] <= now:
                    return at
        self._extend(size + FLOOR)
        return self._find(name, now)

    def _look(self) -> None:
        """Make sure that the file at the path is the one that is mapped. Raises ValueError for one that is not ours."""
        if self._map is not None and self._is_mapped():
            return
        if self._file is not None:
            os.close(self._file)
        self._map = self._file = None
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            head = os.pread(self._file, HEAD, 0)
            if not head.strip(b"\0"):
                head = MAGIC + os.urandom(SALT)
                os.pwrite(self._file, head, 0)
            if not head.startswith(MAGIC):
                raise ValueError(f"{self._path} is not a file of limits")
            self._extend(HEAD + FLOOR)
            self._salt = self._map[len(MAGIC) : HEAD]
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _is_mapped(self) -> bool:
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return False
        opened = os.fstat(self._file)
        return (
            os.path.samestat(there, opened)
            and there.st_size >= len(self._map)
            and self._map[:HEAD] == MAGIC + self._salt
        )

    def _extend(self, size: int) -> None:
        """Map the file, of this size at least. What is new is written: a full disk must show here, not at a count."""
        old = os.fstat(self._file).st_size
        while old < size:
            old += os.pwrite(self._file, bytes(size - old), old)
        self._map = mmap.mmap(self._file, old)


@lru_cache(1024)  # as many callers as rate_limit.py keeps the keys of
def _hashed(key: str, salt: bytes) -> bytes:
    return blake2b(key.encode(), digest_size=8, key=salt).digest()
