"""Which cores this process may use, and how many of them."""

import contextlib
import math
import os
from collections.abc import Iterable
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")


def cores(groups: Path = GROUPS) -> int:
    """Those that it may run on, or fewer where a container's quota allows less time. groups: the cgroup filesystem."""
    return max(1, math.ceil(min(len(_usable()), _quota(groups))))


def free_core(workers: Iterable) -> int | None:
    """The core that is the `core` of the fewest workers; None where the system does not tell."""
    taken = [getattr(worker, "core", None) for worker in workers]
    return min(_usable(), key=taken.count)


def pin(core: int | None) -> None:
    """Have this process run on one core only."""
    if core is not None:
        with contextlib.suppress(OSError):  # where this is not allowed, it is only slower
            os.sched_setaffinity(0, {core})


def _usable() -> list[int | None]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [None] * (os.cpu_count() or 1)


def _quota(groups: Path) -> float:
    """In cores; infinite where there is none. Version 2 of cgroups has one file for it, version 1 has two."""
    for files in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        with contextlib.suppress(OSError, ValueError):
            quota, period = " ".join((groups / file).read_text() for file in files).split()
            if quota not in ("max", "-1"):
                return int(quota) / int(period)
    return math.inf
