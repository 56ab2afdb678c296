"""Versions of this program and of what it stands on, for run records and bundles."""

import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

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


def unmet_requirements(requirements: Iterable[str]) -> list[str]:
    """What is missing or of another version than asked, in words; extras' requirements do not count.

    `requirements` are as in a package's metadata, such as "torch>=2.8,<2.14".
    """
    problems = []
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            problems.append(f"{requirement.name} is not installed, needed is {requirement.specifier}")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            problems.append(f"{requirement.name} {found} is installed, needed is {requirement.specifier}")
    return problems


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
