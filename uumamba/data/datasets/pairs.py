"""Images and label maps that belong together by their files' names, and what is wrong where they do not."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from uumamba.data.problem import Problem

_SHOWN = 3


@dataclass(frozen=True)
class Pairs:
    """Case -> its image and its label map, in the order of numbers; the cases with one alone; and all problems."""

    files: dict[str, tuple[Path, Path]]
    half: frozenset[str]
    problems: tuple[Problem, ...]


def pair_files(root: Path, image: re.Pattern[str], label_map: re.Pattern[str]) -> Pairs:
    """Pair the files at any depth whose whole names fit; the first group of both patterns is the case.

    Hidden files and folders are left alone. Two files for one case block; an image or a label map alone does not: it is
    left out.
    """
    problems: list[Problem] = []
    images, label_maps = _find(root, image, problems), _find(root, label_map, problems)
    for alone, other, what, lacks in (
        (images, label_maps, "images", "label map"),
        (label_maps, images, "label maps", "image"),
    ):
        if names := sorted_by_number(alone.keys() - other.keys()):
            said = f"{what} without {lacks}, which are left out: {in_words(names)}"
            problems.append(Problem(alone[names[0]], said, "restore them", blocks=False))
    both = sorted_by_number(images.keys() & label_maps.keys())
    half = frozenset(images.keys() ^ label_maps.keys())
    return Pairs({name: (images[name], label_maps[name]) for name in both}, half, tuple(problems))


def sorted_by_number(names: Collection[str]) -> list[str]:
    """Names that end in numbers, 2 before 10."""
    return sorted(names, key=lambda name: (len(name), name))


def in_words(names: Collection[str]) -> str:
    """ "case 17", "cases 17 and 233", "cases 17, 233, 405 and 41 others"."""
    listed = list(names)
    shown, more = listed[:_SHOWN], len(listed) - _SHOWN
    if more > 0:
        return f"cases {', '.join(shown)} and {more} other{'s' if more > 1 else ''}"
    return f"case{'s' if len(shown) > 1 else ''} " + " and ".join(
        [", ".join(shown[:-1]), shown[-1]] if shown[1:] else shown
    )


def _find(root: Path, pattern: re.Pattern[str], problems: list[Problem]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(root.rglob("*")):
        named = pattern.fullmatch(path.name)
        if named is None or any(part.startswith(".") for part in path.relative_to(root).parts) or not path.is_file():
            continue
        first = found.setdefault(named[1], path)
        if first != path:
            problems.append(Problem(path, f"is a second file for case {named[1]}, beside {first}", "remove one"))
    return found
