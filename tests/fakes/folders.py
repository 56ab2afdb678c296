"""What a folder holds, to see whether a command changed it."""

from pathlib import Path

from uumamba.core.files import hash_file


def contents(folder: Path) -> dict[str, str]:
    """Relative path -> SHA-256 of every file below a folder."""
    return {str(path.relative_to(folder)): hash_file(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def written(folder: Path) -> dict[str, tuple[int, int]]:
    """Relative path -> when each file below a folder was last written (ns) and its size."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
