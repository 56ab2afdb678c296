"""Where a bundle is: a file of any name, or the one in a finished run's folder."""

from pathlib import Path

from uumamba.core.errors import InputError

BUNDLE_NAME = "model.safetensors"
"""The bundle's name inside a run directory; elsewhere a bundle may have any name."""


def find_bundle(path: Path) -> Path:
    """The bundle's file: `path` itself, or `model.safetensors` in it if it is a folder; else `InputError`."""
    file = path / BUNDLE_NAME if path.is_dir() else path
    if file.is_file():
        return file
    if path.is_dir():
        raise InputError(f"{path}: no {BUNDLE_NAME} in this folder; give a finished run's folder or a bundle file")
    raise InputError(f"{path}: no such file or folder; give a bundle (.safetensors) or a finished run's folder")
