"""Versions of this program and of what it stands on, for run records and bundles."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "uumamba",
    "torch",
    "numpy",
    "scipy",
    "monai",
    "nnunetv2",
    "lightning-fabric",
    "nibabel",
    "SimpleITK",
    "blosc2",
    "safetensors",
    "pydantic",
    "mamba-ssm",
    "triton",
    "numba",
)


def installed_versions() -> dict[str, str]:
    """Name -> version of Python and of every relevant package that is installed."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def git_state() -> str | None:
    """Commit of the checkout that the package runs from, "-dirty" if files differ; None for an installed package."""
    checkout = Path(__file__).parents[2]
    if not (checkout / ".git").exists():
        return None
    try:
        described = subprocess.run(
            ["git", "-C", str(checkout), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()
