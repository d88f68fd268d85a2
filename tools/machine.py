"""What this machine has left to give: cores and memory, the limits of a container included."""

from collections.abc import Iterator
from pathlib import Path

import psutil
from joblib import cpu_count

GROUPS = Path("/proc/self/cgroup")
MOUNTED = Path("/sys/fs/cgroup")
# the limit, what is used, and the cached files among it, which are given back: cgroups 2 and 1
NAMES = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def cores() -> int:
    """Cores this process may use: its affinity, a container's share, LOKY_MAX_CPU_COUNT."""
    return cpu_count()


def memory_free() -> int:
    """Bytes that can still be taken without swapping or being killed for it."""
    return min([psutil.virtual_memory().available, *_left_by_limits()])


def _left_by_limits() -> Iterator[int]:
    """What each limit on the memory of this process leaves, its group's and those above."""
    if not GROUPS.exists():  # only Linux has them
        return
    for line in GROUPS.read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        kind = next((name for name in NAMES if name in controllers.split(",")), None)
        if kind is None:
            continue
        limit, used, cached = NAMES[kind]
        inner = MOUNTED / kind / group.strip("/")
        for folder in [inner, *inner.parents]:
            if not folder.is_relative_to(MOUNTED):
                break
            try:
                most = (folder / limit).read_text().strip()
                if most == "max":
                    continue
                taken = int((folder / used).read_text())
                stat = dict(pair.split() for pair in (folder / "memory.stat").open())
            except FileNotFoundError:  # the root has no limit; a container sees its own alone
                continue
            yield int(most) - taken + int(stat[cached])
