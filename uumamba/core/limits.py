"""What a container or a batch job may use of the machine: Linux control groups, versions 1 and 2.

`root` is the file system's root, where /proc and /sys are.
"""

from pathlib import Path

ROOT = Path("/")
# Version 1 writes "no limit" as the largest number of whole pages.
_NO_LIMIT_BYTES = 1 << 60


def core_quota(root: Path = ROOT) -> float | None:
    """How many cores' worth of time the process may use, such as 1.5; None without a limit."""
    quotas = [text.split() for text in _control_files("cpu.max", root)]
    periods = _control_files("cpu.cfs_period_us", root)
    quotas += [[text, period] for text, period in zip(_control_files("cpu.cfs_quota_us", root), periods, strict=False)]
    cores = [int(quota) / int(period) for quota, period in quotas if quota.isdigit()]
    return min(cores, default=None)


def memory_limit_bytes(root: Path = ROOT) -> int | None:
    """How much memory the process and its siblings may hold together; None without a limit."""
    texts = _control_files("memory.max", root) + _control_files("memory.limit_in_bytes", root)
    limits = [int(text) for text in texts if text.isdigit() and int(text) < _NO_LIMIT_BYTES]
    return min(limits, default=None)


def _control_files(name: str, root: Path) -> list[str]:
    """The contents of every control file of this name that binds the process: of its own group and of all above it."""
    membership = root / "proc" / "self" / "cgroup"
    if not membership.is_file():
        return []
    found = []
    for line in membership.read_text(encoding="utf-8").splitlines():
        _, controllers, group = line.split(":", 2)
        mount = root / "sys" / "fs" / "cgroup" / controllers
        own = mount / group.lstrip("/")
        # In a container the group's own folder may be out of sight; then its mount is the group.
        files = [folder / name for folder in (own, *own.parents) if folder.is_relative_to(mount)]
        found += [file.read_text(encoding="utf-8").strip() for file in files if file.is_file()]
    return found
